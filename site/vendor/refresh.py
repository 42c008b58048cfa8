"""Copy the libraries that travel with this repository from the npm registry, at the versions of package-lock.json.

Usage: python site/vendor/refresh.py    (needs npm)

To move to another version, change it in package.json, run `npm install --package-lock-only --ignore-scripts` in this
folder, then this script, and commit what changed. npm checks each package against the lock's integrity; the digests in
vendored.json, which the tests compare with the files, are those of the files taken out of it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


def main() -> None:
    listing = HERE / "vendored.json"
    entries = json.loads(listing.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder)
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, check=True)
        for entry in entries:
            content = (Path(folder) / "node_modules" / entry["package"] / entry["file"]).read_bytes()
            target = ROOT / entry["to"]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            entry["sha256"] = hashlib.sha256(content).hexdigest()
    listing.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
