"""Memory and pace over a million deliveries: how much more the last tenth takes than the first.

The environment variable MOCKSERVER_BENCHMARK_EVENTS sets another number, such as 100000.
"""

from __future__ import annotations

import asyncio
import os
import sys
from time import process_time

import msgspec
import psutil

from benchmarks.processes import child
from benchmarks.receiver import receiving
from benchmarks.table import Figure, Measurement


class Sample(msgspec.Struct):
    """What the replay in its own process found.

    Args:
        planned: How many deliveries there were to be.
        accounted: How many of them the report accounts for: delivered, failed or not sent.
        delivered: How many arrived.
        early: Resident bytes after the first tenth.
        late: Resident bytes at the end.
        peak: The most that was resident at any time that was looked at.
        first_seconds: Processor time of the first tenth.
        last_seconds: Processor time of the last tenth.
    """

    planned: int
    accounted: int
    delivered: int
    early: int
    late: int
    peak: int
    first_seconds: float
    last_seconds: float


def measure(*, quick: bool) -> list[Measurement]:
    """Measure the topic.

    Args:
        quick: Whether to make few deliveries only.
    """
    count = 1000 if quick else int(os.environ.get("MOCKSERVER_BENCHMARK_EVENTS", "1000000"))
    with receiving() as receiver, child(["-m", "benchmarks.memory", receiver.url, str(count)]) as (_, line):
        sample = msgspec.json.decode(line, type=Sample)
    grown = Figure("value", "at most", 30.0)
    complete = Figure("ratio", "at least", 1.0)
    pace = [tenth / count * 10 * 1e6 for tenth in (sample.last_seconds, sample.first_seconds)]
    return [
        Measurement(
            f"{count:,} deliveries: memory since the first tenth",
            "MB",
            (sample.late - sample.early) / 1e6,
            figure=grown,
            note=f"{sample.early / 1e6:.1f} MB then, {sample.late / 1e6:.1f} MB at the end,"
            f" {sample.peak / 1e6:.1f} MB at most",
        ),
        Measurement(
            f"{count:,} deliveries: processor time of one in the last tenth",
            "µs",
            pace[0],
            "in the first tenth",
            pace[1],
            pace[0] / pace[1],
            Figure("ratio", "at most", 1.03),
        ),
        Measurement(
            f"{count:,} deliveries: accounted for",
            "",
            float(sample.accounted),
            "planned",
            float(sample.planned),
            sample.accounted / sample.planned,
            complete,
            note=f"{sample.delivered:,} delivered",
        ),
    ]


async def _replay(url: str, count: int) -> Sample:
    # Imported here: the parent process does not need them.
    from benchmarks.deliveries import one_step_script  # noqa: PLC0415 - start-up does without
    from mockserver.model.settings import read_settings  # noqa: PLC0415 - start-up does without
    from mockserver.server.mock import Mock  # noqa: PLC0415 - start-up does without

    process, sizes, moments = psutil.Process(), [], [process_time()]
    mock = Mock(read_settings(speed="max"))
    mock.register(url, None, "whsec_benchmark")
    seen = iter(range(1, count + 1))
    tenth = count // 10

    def look(_: object) -> None:
        if next(seen) % tenth == 0:
            sizes.append(process.memory_info().rss)
            moments.append(process_time())

    mock.records.subscribe(look)
    report = await mock.replay(one_step_script(count))
    await mock.stop()
    accounted = report.delivered + report.failed + report.not_sent
    return Sample(
        report.planned,
        accounted,
        report.delivered,
        sizes[0],
        sizes[-1],
        max(sizes),
        moments[1] - moments[0],
        moments[-1] - moments[-2],
    )


if __name__ == "__main__":
    print(msgspec.json.encode(asyncio.run(_replay(sys.argv[1], int(sys.argv[2])))).decode(), flush=True)
