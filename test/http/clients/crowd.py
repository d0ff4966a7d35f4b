"""Many clients at once: crowd.py PORT ACTIVE ROUNDS SLOW. Each active one asks ROUNDS times on a connection of its own and
checks that the answer is to its own question; each slow one sends one request over some seconds, a few bytes at a time.

Ends with a line of figures: requests answered well by both kinds, those that were not, and milliseconds.
"""

import asyncio
import resource
import sys
import time

PORT, ACTIVE, ROUNDS, SLOW = map(int, sys.argv[1:5])


def request(n):
    return f"GET /rpc/double?n={n} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


async def answer(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    return head[9:12], await reader.readexactly(length)


async def connected():
    for _ in range(20):
        try:
            return await asyncio.open_connection("127.0.0.1", PORT)
        except OSError:
            await asyncio.sleep(0.1)
    return await asyncio.open_connection("127.0.0.1", PORT)


async def active(number, delays, arrived, everybody):
    reader, writer = await connected()
    arrived.append(number)
    if len(arrived) == ACTIVE:
        everybody.set()
    await everybody.wait()
    good = 0
    for round_ in range(ROUNDS):
        n = number * ROUNDS + round_
        start = time.time()
        writer.write(request(n))
        good += await answer(reader) == (b"200", str(2 * n).encode())
        delays.append((time.time() - start) * 1000)
    writer.close()
    return good


async def slow(number):
    reader, writer = await connected()
    bytes_ = request(number)
    for at in range(0, len(bytes_), 4):
        writer.write(bytes_[at : at + 4])
        await asyncio.sleep(0.3)
    good = await answer(reader) == (b"200", str(2 * number).encode())
    writer.close()
    return good


async def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, ACTIVE + SLOW + 100)), hard))
    delays, arrived, everybody = [], [], asyncio.Event()
    slow_ones = [asyncio.create_task(slow(number)) for number in range(SLOW)]
    if SLOW:
        await asyncio.sleep(0.5)
    results = await asyncio.gather(*(active(number, delays, arrived, everybody) for number in range(ACTIVE)), return_exceptions=True)
    results_slow = await asyncio.gather(*slow_ones, return_exceptions=True)
    for fault in {repr(result) for result in results + results_slow if isinstance(result, BaseException)}:
        print(f"fault: {fault}", file=sys.stderr)
    delays.sort()
    served = sum(result for result in results if isinstance(result, int))
    served_slow = sum(result is True for result in results_slow)
    print(f"active {served} slow {served_slow} p50 {delays[len(delays) // 2]:.1f} p99 {delays[len(delays) * 99 // 100]:.1f}")


asyncio.run(main())
