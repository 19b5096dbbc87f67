"""How a request leaves: the address guard, our HTTP/1.1 sender, and applications in this process."""
