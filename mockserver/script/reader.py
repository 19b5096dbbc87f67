"""Reading a script: from the bytes of a file to a :class:`~mockserver.script.model.Script`, or to its problems."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, TypeVar

import msgspec

from mockserver.errors import Problem, ScriptError, UsageError
from mockserver.faults.registry import is_signature_fault
from mockserver.faults.request_builder import check_faults
from mockserver.model.events import Catalog, PathError, change_place, check_json, copied, remove_place
from mockserver.model.expectations import Expectation
from mockserver.model.fields import Fields, Member, Node, Reading, TooManyProblemsError, described, read_object
from mockserver.model.wording import did_you_mean, listed
from mockserver.script.format import EVENT_FIELDS, FLOW_FIELDS, SCRIPT_FIELDS, STEP_FIELDS
from mockserver.script.model import (
    FLOW_NAMES,
    FLOW_ROUTES,
    AwaitStep,
    EventStep,
    Flow,
    FlowEvent,
    FlowRoute,
    PauseStep,
    Script,
    Step,
    TogetherStep,
    WebhookSpec,
    expectation_for,
)
from mockserver.script.package_files import load_retry_policies
from mockserver.script.templates import FIRST, NAMES, DataTemplate, Moment, TemplateError
from mockserver.script.tree import read_tree

_LITERALS = ("true", "false", "none")  # words of Jinja2
_LONGEST = 1000 * 365.25 * 86400.0  # beyond it, no calendar has a date
_NOTHING = Node(0, 0, {})

T = TypeVar("T")


def read_script(source: bytes | str, catalog: Catalog, name: str = "<script>") -> Script:
    """Read a script from YAML or JSON; ``name`` is how messages name the source.

    Raises a ScriptError that holds all its problems, each with line and column.
    """
    reading = _reading(catalog)
    script = _read(source, reading, lambda tree: _ScriptReader(catalog, reading).read(tree, name))
    return _without_problems(script, reading, name)


def read_event_step(source: bytes | str, catalog: Catalog, extra_events: tuple[str, ...] = ()) -> EventStep:
    """Read one event step on its own, from JSON or YAML: what is sent at once, outside of any script.

    Raises a ScriptError if it has problems.
    """
    reading = _reading(catalog, extra_events)
    step = _read(source, reading, lambda tree: _ScriptReader(catalog, reading).event_step(tree, "1"))
    return _without_problems(step, reading, "<event>")


def read_flows(
    source: bytes | str, catalog: Catalog, name: str = "<flow>", extra_events: tuple[str, ...] = ()
) -> tuple[Flow, ...]:
    """Read flows from JSON or YAML: a script that has some, or one rule on its own.

    A rule may be as short as ``{"on": "POST /v1/runs", "outcome": "failed"}``. Raises a ScriptError if there are
    problems, or no flows.
    """
    reading = _reading(catalog, extra_events)
    tree = read_tree(source, reading)
    if tree is None or reading.problems or (isinstance(tree.value, dict) and "version" in tree.value):
        flows = read_script(source, catalog, name).flows
        if not flows:
            raise ScriptError(name, [Problem(1, 1, "it has no flows")])
        return flows
    flow = _read(source, reading, lambda tree: _ScriptReader(catalog, reading).flow(tree, 1, name))
    return (_without_problems(flow, reading, name),)


def read_flow_keys(keys: Mapping[str, Any], catalog: Catalog, extra_events: tuple[str, ...] = ()) -> tuple[Flow, ...]:
    """Read a flow that Python code wrote: its keys and plain values.

    Raises a UsageError if a value is not JSON, and a ScriptError, whose problems name their keys, if it is not valid.
    """
    check_json(keys, "the flow")
    names = list(keys)
    lines = ",\n".join(f"{_json(name)}: {_json(value)}" for name, value in keys.items())  # a line for each key
    try:
        return read_flows(f"{{\n{lines}\n}}", catalog, "<flow>", extra_events)
    except ScriptError as error:
        shown = []
        for problem in error.problems:
            key = names[problem.line - 2] if 2 <= problem.line < len(names) + 2 else "flow"
            shown.append(Problem(0, 0, f"{key}: {problem.message}"))
        raise ScriptError("<flow>", shown) from None


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _reading(catalog: Catalog, extra_events: tuple[str, ...] = ()) -> Reading:
    return Reading([], (*catalog.names, *extra_events), load_retry_policies())


def _read(source: bytes | str, reading: Reading, read: Callable[[Node], T | None]) -> T | None:
    tree = read_tree(source, reading)
    try:
        return None if tree is None else read(tree)
    except TooManyProblemsError:
        return None


def _without_problems(value: T | None, reading: Reading, name: str) -> T:
    """Return what was read, unless something was wrong with it."""
    if value is None or reading.problems:
        problems = dict.fromkeys(reading.problems)
        raise ScriptError(name, sorted(problems, key=lambda problem: (problem.line, problem.column)))
    return value


class _ScriptReader:
    """One reading of one script; each method reads a part, noting what is wrong with it."""

    def __init__(self, catalog: Catalog, reading: Reading) -> None:
        self._catalog = catalog
        self.reading = reading
        self._variables: Mapping[str, Any] = {}
        self._defaults: Mapping[str, Any] = {}
        self._defaults_node = _NOTHING
        self._more_names: tuple[str, ...] = ()
        self._open_paths: tuple[str, ...] = ()

    def read(self, tree: Node, name: str) -> Script | None:
        if isinstance(tree.value, dict) and "extra_events" in tree.value:
            self._learn_events(tree.value["extra_events"].node)
        values = read_object(tree, SCRIPT_FIELDS, self.reading, "a script")
        if values is None:
            return None
        if "flows" in values:
            self._more_names = FLOW_NAMES
        if "vars" in values:
            self._variables = self._checked_variables(_member(tree, "vars").node, values["vars"])
        if "defaults" in values:
            self._defaults, self._defaults_node = values["defaults"], _member(tree, "defaults").node
        webhook = values.get("webhook", {})
        self._check_content(tree)
        flows = tuple(self._flows(values.pop("flows", ()), name))
        self._more_names = ()
        script = Script(
            source=name,
            name=values.get("name", name),
            seed=values.get("seed", 0),
            start=values.get("start"),
            webhook=WebhookSpec(**webhook) if webhook.keys() == {"url", "secret"} else None,
            extra_events=values.get("extra_events", ()),
            retry=values.get("retry"),
            pacing=values.get("pacing", "settled"),
            steps=tuple(self._steps(values.get("steps", ()))),
        )
        script = msgspec.structs.replace(script, flows=tuple(_within(flow, script) for flow in flows))
        if script.seconds > _LONGEST:
            self.reading.problem(tree, "the script takes more than a thousand years: look at every, after and repeat")
        return script

    def _check_content(self, tree: Node) -> None:
        """Refuse a script in which nothing happens: neither steps nor flows."""
        assert isinstance(tree.value, dict)  # noqa: S101 - read_object has looked
        lists = {key: tree.value[key].node for key in ("steps", "flows") if key in tree.value}
        if not lists:
            message = f"a script needs the key 'steps': {SCRIPT_FIELDS['steps'].doc}"
            self.reading.problem(tree, message)
        elif all(node.value == [] for node in lists.values()):
            for key, node in lists.items():
                self.reading.problem(node, f"expected a list of {key}, not an empty list")

    def _learn_events(self, node: Node) -> None:
        items = node.value if isinstance(node.value, list) else []
        self.reading.events += tuple(item.value for item in items if isinstance(item.value, str) and item.value)

    def _checked_variables(self, node: Node, variables: Mapping[str, Any]) -> Mapping[str, Any]:
        assert isinstance(node.value, dict)  # noqa: S101 - JsonObject has read it
        for key, member in node.value.items():
            if not key.isidentifier() or keyword.iskeyword(key):
                message = f"{key!r} cannot be used in a template: letters, digits and _ are allowed"
            elif key in NAMES or key in _LITERALS or key in self._more_names:
                message = f"{key!r} already means something in templates: choose another name"
            else:
                continue
            self.reading.problem_at(member.key_line, member.key_column, message)
        return variables

    def _flows(self, nodes: list[Node], name: str) -> Iterator[Flow]:
        for number, node in enumerate(nodes, 1):
            flow = self.flow(node, number, name)
            if flow is not None:
                yield flow

    def flow(self, node: Node, number: int, name: str) -> Flow | None:
        self._more_names = FLOW_NAMES
        return read_flow(node, number, FLOW_FIELDS, self, name)

    def flow_event(self, node: Node, number: str, open_paths: tuple[str, ...]) -> FlowEvent | None:
        """Read an event of a flow: its changes are checked on the sample data, and made on that of the resource."""
        self._open_paths = open_paths
        step = self.event_step(node, number)
        self._open_paths = ()
        if step is None or self.reading.problems:
            return None
        given = node.plain()
        values = {**self._defaults, **given}
        if "data" in given or ("data" in values and not {"override", "remove"} & given.keys()):
            return FlowEvent(step, exact=True)
        override = DataTemplate(values.get("override", {}), self._variables, self._more_names)
        return FlowEvent(step, override=override, remove=tuple(values.get("remove", ())))

    def _steps(self, nodes: list[Node]) -> Iterator[Step]:
        for index, node in enumerate(nodes, 1):
            step = self._step(node, str(index))
            if step is not None:
                yield step

    def _step(self, node: Node, number: str) -> Step | None:
        if not isinstance(node.value, dict):
            self.reading.problem(node, f"expected a step as an object (key: value), not {described(node)}")
            return None
        kinds = [key for key in STEP_FIELDS if key in node.value]
        # `events` beside `await` is fine; two of the four together are not.
        if len(kinds) != 1:
            self._no_kind(node, kinds)
            return None
        readers: dict[str, Callable[[Node, str], Step | None]] = {
            "event": self.event_step,
            "together": self._together_step,
            "pause": self._pause_step,
            "await": self._await_step,
        }
        return readers[kinds[0]](node, number)

    def _no_kind(self, node: Node, kinds: list[str]) -> None:
        assert isinstance(node.value, dict)  # noqa: S101 - the caller has looked
        choices = listed(STEP_FIELDS)
        if kinds:
            self.reading.problem(node, f"a step has one of {choices}, not {' and '.join(kinds)} at once")
            return
        guesses = (did_you_mean(key, STEP_FIELDS) for key in node.value)
        hint = next((guess for guess in guesses if guess), "")
        self.reading.problem(node, f"a step needs one of {choices}{hint}")

    def _pause_step(self, node: Node, number: str) -> PauseStep | None:
        values = read_object(node, STEP_FIELDS["pause"], self.reading, "a pause step")
        return PauseStep(line=node.line, number=number, seconds=values["pause"]) if values else None

    def _await_step(self, node: Node, number: str) -> AwaitStep | None:
        values = read_object(node, STEP_FIELDS["await"], self.reading, "an await step")
        if not values:
            return None
        values.pop("await", None)
        return AwaitStep(line=node.line, number=number, **values)

    def _together_step(self, node: Node, number: str) -> TogetherStep | None:
        values = read_object(node, STEP_FIELDS["together"], self.reading, "a together step")
        member = _member(node, "together")
        if not values or not isinstance(member.node.value, list):
            return None
        steps = []
        for index, item in enumerate(member.node.value, 1):
            inner = self.event_step(item, f"{number}.{index}", inside_together=True)
            steps += [inner] if inner else []
        return TogetherStep(line=node.line, number=number, steps=tuple(steps), after=values.get("after", 0.0))

    def event_step(self, node: Node, number: str, *, inside_together: bool = False) -> EventStep | None:
        given = read_object(node, EVENT_FIELDS, self.reading, "an event step")
        if given is None or "event" not in given:
            return None
        if inside_together and "after" in given:
            self._problem_at_key(node, "after", "steps of a together happen at the same time: put after beside it")
        values = {**self._defaults, **given}
        data = self._data(node, given, values)
        if "fault" in values:
            self._check_faults(node if "fault" in given else self._defaults_node, values, data)
        timing = {key: values[key] for key in ("repeat", "every", "concurrency") if key in values}
        return EventStep(
            line=node.line,
            number=number,
            event=given["event"],
            data=data,
            after=0.0 if inside_together else values.get("after", 0.0),
            faults=values.get("fault", ()),
            expect=expectation_for(values.get("fault", ()), values.get("expect", Expectation())),
            retry=values.get("retry"),
            sample_id=self._sample_id(values, data),
            **timing,
        )

    def _sample_id(self, values: Mapping[str, Any], data: DataTemplate) -> str:
        if "data" in values:
            return ""
        return self._catalog.sample_id(values["event"], data.source, values.get("override", {}))

    def _check_faults(self, node: Node, values: Mapping[str, Any], data: DataTemplate) -> None:
        try:
            check_faults(values["event"], data.source, values["fault"])
        except UsageError as error:
            self.reading.problem(_member(node, "fault").node, str(error))

    def _data(self, node: Node, given: Mapping[str, Any], values: Mapping[str, Any]) -> DataTemplate:
        if "data" in given:
            for key in ("override", "remove"):
                if key in given:
                    self._problem_at_key(node, key, f"data is sent exactly as it is: write either data or {key}")
            return self._template(node, "data", given["data"])
        if "data" in values and not {"override", "remove"} & given.keys():
            return self._template(self._defaults_node, "data", values["data"])
        event_type = self._catalog.get(values["event"])
        data = event_type.data if event_type else {}
        changes = [key for key in ("override", "remove") if key in values]
        if not changes:
            return DataTemplate.literal(data)  # it is only read from here on
        data = copied(data)
        for key in changes:
            place = node if key in given else self._defaults_node
            self._change(place, key, data, values, known=event_type is not None)
        return self._template(node if "override" in given else self._defaults_node, "override", data)

    def _change(self, node: Node, key: str, data: Any, values: Mapping[str, Any], *, known: bool) -> None:
        """Apply override or remove to the sample data, one place after another, so that each error has its place."""
        if not known:
            message = f"{values['event']} has no sample data to change: give its data"
            self._problem_at_key(node, key, message)
            return
        member = _member(node, key)
        for path, line, column in _paths(member.node):
            if path.partition(".")[0] in self._open_paths:
                continue
            try:
                if key == "override":
                    change_place(data, path, values[key][path])
                else:
                    remove_place(data, path)
            except PathError as error:
                self.reading.problem_at(line, column, str(error))

    def _template(self, node: Node, key: str, data: Mapping[str, Any]) -> DataTemplate:
        try:
            template = DataTemplate(data, self._variables, self._more_names)
            template.try_out()
        except TemplateError as error:
            self._note_templates(_member(node, key).node, str(error))
            return DataTemplate({}, {})
        return template

    def _note_templates(self, node: Node, message: str) -> None:
        """Find the strings whose templates are wrong, each at its own place; if none is, all are too large."""
        known = len(self.reading.problems)
        pending = [node]
        while pending:
            item = pending.pop()
            if isinstance(item.value, dict):
                pending += [member.node for member in item.value.values()]
            elif isinstance(item.value, list):
                pending += item.value
            else:
                try:
                    DataTemplate({"": item.value}, self._variables, self._more_names).try_out()
                except TemplateError as error:
                    self.reading.problem(item, str(error))
        if len(self.reading.problems) == known:
            self.reading.problem(node, message)

    def _problem_at_key(self, node: Node, key: str, message: str) -> None:
        member = _member(node, key)
        self.reading.problem_at(member.key_line, member.key_column, message)


def _within(flow: Flow, script: Script) -> Flow:
    """A flow with what the script around it says of all deliveries."""
    return msgspec.structs.replace(flow, webhook=script.webhook, retry=script.retry)


def _member(node: Node, key: str) -> Member:
    assert isinstance(node.value, dict)  # noqa: S101 - the caller has seen the key
    return node.value[key]


def _paths(node: Node) -> list[tuple[str, int, int]]:
    """The places that override or remove names, each with where it is written."""
    if isinstance(node.value, dict):
        return [(key, member.key_line, member.key_column) for key, member in node.value.items()]
    assert isinstance(node.value, list)  # noqa: S101 - ListOf has read it
    return [(item.value, item.line, item.column) for item in node.value if isinstance(item.value, str)]


class EventReader(Protocol):
    """Reads the event steps of a rule, as those of the script around it."""

    reading: Reading

    def flow_event(self, node: Node, number: str, open_paths: tuple[str, ...]) -> FlowEvent | None:
        """Read one of them; None, and a problem noted, if it is not valid."""
        ...


def read_flow(node: Node, number: int, fields: Fields, reader: EventReader, source: str) -> Flow | None:
    """Read the rule of a number, from 1; None if it has problems that leave nothing of it."""
    reading = reader.reading
    values = read_object(node, fields, reading, "a flow")
    if values is None or "on" not in values:
        return None
    route = FLOW_ROUTES[values["on"]]
    _check_paths(node, values, route, reading)
    _check_states(node, values, route, reading)
    _check_turns(node, values, route, reading)
    _check_order(node, values, reading)
    advance, reads = values.pop("advance", ("time", 0))
    events = values.pop("events", None)
    if events is not None:
        read = [reader.flow_event(each, f"{number}.{at}", route.open_paths) for at, each in enumerate(events, 1)]
        events = tuple(event for event in read if event)
    written: Mapping[str, Any] = node.plain()
    flow = Flow(**values, advance=advance, reads=reads, events=events, source=source, line=node.line, written=written)
    if flow.seconds + sum(event.step.seconds for event in flow.events or ()) > _LONGEST:
        reading.problem(node, "the flow takes more than a thousand years: look at states, after, every and repeat")
    return flow


def _check_paths(node: Node, values: Mapping[str, Any], route: FlowRoute, reading: Reading) -> None:
    if "when" not in values:
        return
    when = _member(node, "when").node.value
    assert isinstance(when, dict)  # noqa: S101 - JsonObject has read it
    for path, member in when.items():
        name = path.partition(".")[0]
        if path not in route.fields and name not in route.fields:
            known = ", ".join(route.fields)
            hint = did_you_mean(name, route.fields)
            message = f"{route.on} has no field {name!r}; its fields are {known}{hint}"
            reading.problem_at(member.key_line, member.key_column, message)


def _check_states(node: Node, values: Mapping[str, Any], route: FlowRoute, reading: Reading) -> None:
    if not route.states:
        for key in ("states", "advance"):
            if key in values:
                _at_key(node, key, f"{route.on} is answered with its finished result: leave {key} out", reading)
        if values.get("outcome") == "never":
            message = f"{route.on} is answered with its finished result: the outcome is completed or failed; for no "
            reading.problem(_member(node, "outcome").node, f"{message}event, write events: []")
    elif "states" in values:
        states = _member(node, "states").node.value
        assert isinstance(states, dict)  # noqa: S101 - States has read it
        for state, member in states.items():
            if state not in route.states:
                hint = did_you_mean(state, route.states)
                known = listed(route.states) if len(route.states) > 1 else route.states[0]
                message = f"{route.on} has no state {state!r} before its end; there is {known}{hint}"
                reading.problem_at(member.key_line, member.key_column, message)


def _check_turns(node: Node, values: Mapping[str, Any], route: FlowRoute, reading: Reading) -> None:
    given = [key for key in ("turns", "failed_turn") if key in values]
    if route.kind != "run":
        for key in given:
            _at_key(node, key, f"only runs have turns: leave {key} out, or write on: POST /v1/runs", reading)
    elif "failed_turn" in values:
        if values.get("outcome", "completed") != "failed" and ("outcome" in values) == ("outcome" in node.plain()):
            _at_key(node, "failed_turn", "no turn fails, as the outcome is not failed: write outcome: failed", reading)
        elif "turns" in values and values["failed_turn"] > values["turns"]:
            message = f"the run has {values['turns']} turns: failed_turn is from 1 to {values['turns']}"
            reading.problem(_member(node, "failed_turn").node, message)


def _check_order(node: Node, values: Mapping[str, Any], reading: Reading) -> None:
    """Refuse events before the answer where no time brings the end: no one knows the id before the answer."""
    if values.get("deliver") != "before_answer":
        return
    if values.get("advance", ("time", 0))[0] != "time" or values.get("outcome") == "never":
        message = "the end must come before the answer: leave advance out, and outcome: never"
        _at_key(node, "deliver", message, reading)


def _at_key(node: Node, key: str, message: str, reading: Reading) -> None:
    member = _member(node, key)
    reading.problem_at(member.key_line, member.key_column, message)


#: Faults after which it is no accident that an event is the same as another, or that it does not arrive.
_ON_PURPOSE = frozenset({"duplicate", "concurrent_duplicates", "lost"})


def notes(script: Script, catalog: Catalog) -> list[Problem]:
    """Return what the author of a script should know, in the order of the script.

    Two events of one type about one object are one event to a consumer that handles each event once, so it ignores the
    second; the sample data of an event always has the same id.
    """
    return list(_same_events(script, catalog))


def _same_events(script: Script, catalog: Catalog) -> Iterator[Problem]:
    first: dict[tuple[str, Any], EventStep] = {}
    for step in script.event_steps():
        key = _identity(step, catalog)
        if key is None:
            continue
        event, object_id = key
        what = f"{event} with the id {object_id!r}"
        advice = "give it an id of its own, or say fault: duplicate where that is meant"
        if step.repeat > 1:
            message = f"its {step.repeat} repeats are {what}: one event to a consumer that handles each once; {advice}"
            yield Problem(step.line, 1, message)
        elif key in first:
            other = first[key]
            message = f"this is {what}, as step {other.number} in line {other.line} is: one event to a consumer"
            yield Problem(step.line, 1, f"{message} that handles each once; {advice}")
        first.setdefault(key, step)


def _identity(step: EventStep, catalog: Catalog) -> tuple[str, Any] | None:
    """Return the event's type and the id of its object; None where that is not the same for all its repeats."""
    event_type = catalog.get(step.event)
    if event_type is None or is_signature_fault(step.faults) or _ON_PURPOSE & {fault.name for fault in step.faults}:
        return None
    key = event_type.object_id
    object_id = step.data.source.get(key)
    if isinstance(object_id, str) and "{{" in object_id:
        one, other = (_rendered(step, key, index) for index in range(2))
        object_id = one if one == other else None
    return (step.event, object_id) if isinstance(object_id, (str, int)) else None


def _rendered(step: EventStep, key: str, index: int) -> Any:
    try:
        return step.data.render(Moment(index, FIRST.now, str(index))).get(key)
    except TemplateError:  # it works for the first event, as reading has shown, but not for this one
        return index
