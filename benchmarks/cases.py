"""What is measured: scenarios of the load generator with their options, and what each is compared with."""

from __future__ import annotations

from dataclasses import dataclass

MEMORY, BATCH, PUT = "peer", "peer-batch", "peer-put"
"""The peer that stores nothing; that stores 25 messages at a time; that stores each by itself."""


@dataclass(frozen=True, slots=True)
class Case:
    """``cost`` names the figure that counts. ``group`` is what one asks for on the command line. ``writes`` are the
    sockets that the kernel's price of a delivery is measured with, and how many microseconds pass between rounds."""

    group: str
    title: str
    load: str
    cost: str
    peers: tuple[str, ...] = (MEMORY,)
    writes: tuple[int, int] | None = None


DELIVERY, MESSAGE, SOCKET = "cpu_us_per_delivery", "cpu_us_per_message", "cpu_us_per_conn"
REQUEST, ACTION, MEMORY_KB = "cpu_us_per_request", "cpu_us_per_action", "rss_kb_per_conn"

TITLES = {
    DELIVERY: "CPU µs per delivery",
    MESSAGE: "CPU µs per message",
    SOCKET: "CPU µs per socket",
    REQUEST: "CPU µs per request",
    ACTION: "CPU µs per action",
    MEMORY_KB: "RSS kB per socket",
}
LATENCIES = {SOCKET: "connect_p99_ms", MEMORY_KB: "connect_p99_ms"}
"""The 99th percentile that goes with a cost; ``lat_p99_ms`` for the others."""

DELIVERIES_PER_SECOND = 20_000


def paced(members: int) -> Case:
    rate = DELIVERIES_PER_SECOND / members
    return Case(
        "fanout",
        f"fan-out, {members:,} in the room, 20,000 deliveries/s",
        f"fanout --n {members} --rate {rate:g} --m {round(rate * 5)}",
        DELIVERY,
        writes=(members, round(1e6 / rate)),
    )


def saturated(members: int) -> Case:
    return Case(
        "fanout-max",
        f"fan-out, {members:,} in the room, saturated",
        f"fanout --n {members} --mode closed --m {300_000 // members} --max-secs 20",
        DELIVERY,
        writes=(members, 0),
    )


def pairs_of(count: int) -> Case:
    return Case(
        "pairs",
        f"{count} private pairs, each sends as soon as the last has arrived",
        f"pairs --pairs {count} --mode closed --secs 6",
        MESSAGE,
        (BATCH, PUT),
    )


CASES = (
    *map(paced, (100, 500, 1_000)),
    *map(saturated, (100, 1_000)),
    pairs_of(200),
    Case(
        "pairs-open",
        "200 private pairs, 200 messages/s",
        "pairs --pairs 200 --rate 200 --ack 1 --secs 6",
        MESSAGE,
        (BATCH,),
    ),
    Case("storm", "1,000 sockets connect, join, hear of each other", "storm --k 1000", SOCKET),
    Case("connect", "1,000 sockets connect", "storm --k 1000 --join 0", SOCKET),
    Case("idle", "5,000 idle sockets", "storm --k 5000 --join 0 --warm 200 --wait 5", MEMORY_KB),
    *(
        Case("typing", f"typing, {members:,} in the room", f"typing --n {members} --m {100_000 // members}", DELIVERY)
        for members in (100, 1_000)
    ),
    Case("history", "the newest 50 messages, 16 readers", "history --secs 4", REQUEST, (BATCH,)),
    Case("mixed", "200 people at work, 500 actions/s", "mixed --secs 6", ACTION, (BATCH,)),
)
GROUPS = tuple(dict.fromkeys(case.group for case in CASES))
