"""table - figures beside those of peers and goals, as Markdown; and what the machine is."""
import os
import platform

GATE, TELL = True, False


class Table:
    def __init__(self):
        self.rows, self.missed = [], 0

    def add(self, what, ours, peers, target=None, gate=TELL, unit="ms", least=False):
        """ours: a number; peers: {name: number}; target: at most (least: at least) this."""
        good = target is None or (ours >= target if least else ours <= target)
        verdict = "" if target is None else "PASS" if good else "over" if not least else "under"
        if gate and not good:
            self.missed += 1
        known = {k: v for k, v in peers.items() if v}
        best = (max if least else min)(known.values(), default=None)
        ratio = f"{(ours / best if least else best / ours):.1f}x" if best and ours else ""
        beside = ", ".join(f"{k} {v:.1f}" for k, v in known.items())
        self.rows.append((what, f"{ours:.1f} {unit}", beside, ratio,
                          "" if target is None else f"{'at least' if least else 'at most'} {target:g}", verdict))
        print(f"{what}: {ours:.1f} {unit} (peers: {beside or '-'}; target {target}) {verdict}", flush=True)

    def show(self):
        print("\n| what | podgres | beside it | best peer / podgres | target | |\n| --- | --- | --- | --- | --- | --- |")
        for row in self.rows:
            print("| " + " | ".join(row) + " |")


def machine():
    model = [line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    memory = int(open("/proc/meminfo").readline().split()[1]) // 1048576
    return f"{len(model)} x {model[0]}, {memory} GB, Linux {platform.release()}, load {os.getloadavg()[0]:.1f}"
