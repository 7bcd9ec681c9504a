"""Checks that removing the package leaves nothing behind, in this process and in a new one."""

import os
import subprocess
import sys
import sysconfig

import _posixsubprocess

left = [name for name in os.listdir(sysconfig.get_paths()["purelib"]) if "forkexec" in name]
assert not left, left
assert "forkexec_posixsubprocess" not in str(getattr(_posixsubprocess, "__file__", None))
code = "import sys, _posixsubprocess as m; sys.exit('forkexec_posixsubprocess' in str(getattr(m, '__file__', None)))"
assert subprocess.run([sys.executable, "-c", code], cwd="/").returncode == 0
print("removed: nothing stays")
