document.documentElement.classList.add('js');
const search = document.querySelector('#search'), only = document.querySelector('#only'), count = document.querySelector('#count');
const rows = [...document.querySelectorAll('[data-row]')];
function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of rows) {
    const text = (row.text ??= row.textContent.toLowerCase());
    row.hidden = (only.checked && row.dataset.row !== 'bad') || !words.every((word) => (word[0] === '-' && word[1] ? !text.includes(word.slice(1)) : text.includes(word)));
    if (!row.hidden) shown += 1;
  }
  count.textContent = `${shown} of ${rows.length}`;
}
search?.addEventListener('input', filter);
only?.addEventListener('change', filter);
if (search) filter();
document.addEventListener('click', async (event) => {
  const button = event.target.closest('button.copy');
  if (button) {
    await navigator.clipboard.writeText(button.nextElementSibling.textContent);
    button.textContent = 'Copied';
    setTimeout(() => { button.textContent = 'Copy'; }, 2000);
  }
});
function open() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (target?.tagName === 'DETAILS') target.open = true;
}
addEventListener('hashchange', open);
open();
