"""The installation for a whole environment: a ``.pth`` file next to the package."""

import os
import sys

_FILE = "forkexec_posixsubprocess.pth"
# Every interpreter reads the line at its start, also after the package was deleted by hand.
_LINE = (
    'import sys; exec("try:\\n import forkexec_posixsubprocess as m\\n m._at_startup()\\n'
    'except ImportError:\\n pass")\n'
)


def _site_directory():
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def _record(directory):
    """Returns the list of installed files, from which pip removes them."""
    for name in os.listdir(directory):
        if name.startswith("forkexec_posixsubprocess-") and name.endswith(".dist-info"):
            path = os.path.join(directory, name, "RECORD")
            if os.path.exists(path):
                return path
    return None


def enable():
    """Writes the file, and adds it to pip's list of installed files. Returns its path."""
    directory = _site_directory()
    path = os.path.join(directory, _FILE)
    with open(path, "w") as file:
        file.write(_LINE)
    record = _record(directory)
    if record is not None and not _is_recorded(record):
        with open(record, "a") as file:
            file.write("{},,\n".format(_FILE))
    return path


def _is_recorded(record):
    with open(record) as file:
        return any(line.startswith(_FILE + ",") for line in file)


def disable():
    """Removes the file. Returns its path."""
    directory = _site_directory()
    path = os.path.join(directory, _FILE)
    if os.path.exists(path):
        os.remove(path)
    record = _record(directory)
    if record is not None:
        with open(record) as file:
            lines = file.readlines()
        with open(record, "w") as file:
            file.writelines(line for line in lines if not line.startswith(_FILE + ","))
    return path


def is_enabled():
    """Returns True if the file exists, and this interpreter reads it."""
    return os.path.exists(os.path.join(_site_directory(), _FILE)) and not sys.flags.no_site
