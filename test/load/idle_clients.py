#!/usr/bin/env python3
"""idle_clients.py PORT PID PATH [--idle 10000] [--slow 1000] [--active 64] [--seconds 5] [--rounds 8]

What clients that do nothing, or next to nothing, change for those at work. Measures the bridge PID on PORT with wrk,
without and with a crowd beside it: IDLE connections that have been answered once and then say nothing, SLOW ones that send
a head a byte a second, spread over the second as clients are. Both ways are measured in turns (without, with, with,
without, ...), so that what else the machine does falls on both, and the median of the rounds counts.
"""
import argparse
import multiprocessing
import os
import resource
import socket
import statistics
import subprocess
import tempfile
import time

REQUEST = b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Padding: " + b"x" * 10000
STEPS = 100  # of a second: so many at a time
REPORT = """done = function(summary, latency)
  local e = summary.errors
  io.write(string.format('%.0f %.3f %.3f %d\\n', summary.requests / summary.duration * 1e6, latency:percentile(50) / 1000,
    latency:percentile(99) / 1000, e.connect + e.read + e.write + e.status + e.timeout))
end
"""


def connect(port):
    for _ in range(50):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=10)
        except OSError:
            time.sleep(0.05)
    raise SystemExit("cannot connect")


def crowd(port, idle_wanted, slow_wanted, ready):
    """Opens the connections, says so, and keeps them busy at their pace."""
    os.setsid()  # clients elsewhere take no time from the bridge's share
    idle = []
    for _ in range(idle_wanted):
        client = connect(port)
        client.sendall(b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n")
        if not client.recv(4096).startswith(b"HTTP/1.1 200"):
            raise SystemExit("an idle connection was not answered")
        idle.append(client)
    slow = [[connect(port), 0] for _ in range(slow_wanted)]
    ready.send(len(idle) + len(slow))
    start, step = time.monotonic(), 0
    while True:
        for sender in slow[step % STEPS::STEPS]:
            try:
                sender[0].send(REQUEST[sender[1]:sender[1] + 1])
                sender[1] += 1
            except OSError:
                sender[:] = [connect(port), 0]  # cut off by its deadline: the next one comes
        step += 1
        time.sleep(max(0.0, start + step / STEPS - time.monotonic()))


def memory_mb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Measurement:
    def __init__(self, options, script):
        self.options, self.script = options, script
        self.crowd = None

    def gather(self):
        ready, theirs = multiprocessing.Pipe(False)
        self.crowd = multiprocessing.Process(
            target=crowd, args=(self.options.port, self.options.idle, self.options.slow, theirs), daemon=True)
        self.crowd.start()
        if not ready.poll(120) or ready.recv() != self.options.idle + self.options.slow:
            raise SystemExit("the crowd does not come together")

    def part(self):
        self.crowd.terminate()
        self.crowd.join()
        time.sleep(0.5)  # their connections end

    def load(self):
        options = self.options
        before = processor_seconds(options.pid)
        said = subprocess.run(
            ["wrk", "-t", "1", "-c", str(options.active), "-d", str(options.seconds), "--timeout", "10", "-s", self.script,
             f"http://127.0.0.1:{options.port}{options.path}"], check=True, capture_output=True, text=True, start_new_session=True).stdout
        rate, p50, p99, errors = map(float, said.strip().splitlines()[-1].split())
        used = (processor_seconds(options.pid) - before) / (rate * options.seconds) * 1e6
        return rate, p50, p99, errors, used


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("pid", type=int)
    parser.add_argument("path")
    for name, default in (("idle", 10000), ("slow", 1000), ("active", 64), ("seconds", 5), ("rounds", 8)):
        parser.add_argument("--" + name, type=int, default=default)
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(REPORT)
        script.flush()
        measurement = Measurement(options, script.name)
        measurement.load()  # warm
        results = {"without": [], "with": []}
        memory = 0.0
        print(f"{'':8s} {'requests/s':>10s} {'p50 ms':>8s} {'p99 ms':>8s} {'errors':>6s} {'us each':>8s}")
        for round_number in range(options.rounds):
            for way in ("without", "with") if round_number % 2 == 0 else ("with", "without"):
                if way == "with" and measurement.crowd is None:
                    measurement.gather()
                if way == "without" and measurement.crowd is not None:
                    measurement.part()
                    measurement.crowd = None
                result = measurement.load()
                if way == "with":
                    memory = max(memory, memory_mb(options.pid))
                results[way].append(result)
                print(f"{way:8s} {result[0]:10.0f} {result[1]:8.2f} {result[2]:8.2f} {result[3]:6.0f} {result[4]:8.1f}", flush=True)
        if measurement.crowd is not None:
            measurement.part()
    p99 = {way: statistics.median(result[2] for result in all_results) for way, all_results in results.items()}
    used = {way: statistics.median(result[4] for result in all_results) for way, all_results in results.items()}
    each = statistics.median(b[2] / a[2] for a, b in zip(results["without"], results["with"]))
    print(f"beside {options.idle} idle and {options.slow} slow connections: p99 of {options.active} active ones "
          f"{p99['with']:.2f} ms, without {p99['without']:.2f} ms: {p99['with'] / p99['without']:.2f}x, median of the rounds' "
          f"ratios {each:.2f}x (wanted: below 1.10); processor time of a request {used['with'] / used['without']:.2f}x; "
          f"RSS {memory:.1f} MB (wanted: 100)")


if __name__ == "__main__":
    main()
