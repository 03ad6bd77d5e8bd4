"""Stands for a DFT engine in tests: a random walk of the mobile ions, written as the MD would.

Run by job.sh in the job folder; imports numpy only, so that a test can run dozens.
"""

import io
import json
import sys
from pathlib import Path

import numpy as np


def main(hop_A: float) -> None:
    plan = json.loads(Path("plan.json").read_text())["plan"]
    if Path("fail-once").exists():
        Path("fail-once").unlink()
        Path("failed.json").write_text(
            json.dumps({"cause": "not_converged", "reason": "SCF did not converge"})
        )
        sys.exit(1)
    Path("failed.json").unlink(missing_ok=True)
    record = plan["record"]
    rng = np.random.default_rng(plan["seed"])
    rest = np.array(record["frac"]) @ np.array(record["lattice_A"])
    mobile = np.array([site[0][0] == plan["mobile"] for site in record["species"]])
    steps = np.arange(0, plan["n_steps"] + 1, plan["frame_every"])
    walk = np.cumsum(rng.normal(0, hop_A, (len(steps), *rest.shape)), axis=0) * mobile[:, None]
    frames = rest + walk + rng.normal(0, 0.05, walk.shape)
    with Path("frames.jsonl").open("w") as stream:
        for step, positions in zip(steps, frames, strict=True):
            frame = {"step": int(step), "conserved_eV": -1.0, "positions_A": positions.tolist()}
            stream.write(json.dumps(frame) + "\n")
    buffer = io.BytesIO()
    np.savez(buffer, step=plan["n_steps"], core_seconds=2.0 * plan["n_steps"])
    Path(".checkpoint").write_bytes(buffer.getvalue())
    Path(".checkpoint").replace("checkpoint.npz")


if __name__ == "__main__":
    main(float(sys.argv[1]))
