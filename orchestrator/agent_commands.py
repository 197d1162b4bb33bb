"""The commands that start the agent on a board: where it lies, on arrival, from memory. Pure."""

from __future__ import annotations

#: What `installed` ends with when the agent is not there; no shell or Python ends with it.
NO_AGENT = 93
#: What `adopted` ends with when it did not get what was sent.
DAMAGED = 94

#: Starts the agent in this Python; what `python3 FILE` does beside it takes a seventh of the time.
_START = """
sys.path[0], sys.argv = final, [final]
start = zipimport.zipimporter(final).get_code("__main__")
exec(start, {"__name__": "__main__", "__file__": final + "/__main__.py"})
"""
#: One round trip whether the agent is there or not.
_ASK = 'test -f "$1" || exit 93; exec python3 -c "$2" "$1"'
_INSTALLED = f"import sys, zipimport\nfinal = sys.argv[1]{_START}"
#: Gives the agent its name only when what lies on the disk is what was sent, and then runs it, in
#: the Python that is there already: the request comes behind it on stdin.
_ADOPT = """
import hashlib, os, sys, zipimport
final, wanted, left = sys.argv[1], sys.argv[2], int(sys.argv[3])
folder, part = os.path.dirname(final), "%s.%d.part" % (final, os.getpid())
def end(kind, error, trace):
    sys.stderr.write(str(error))
    sys.stderr.flush()
    os._exit(94)
sys.excepthook = end
os.makedirs(folder, exist_ok=True)
with open(part, "w+b") as stream:
    while left:
        piece = os.read(0, left)
        if not piece:
            break
        left -= stream.write(piece)
    stream.flush()
    os.fsync(stream.fileno())
    stream.seek(0)
    found = hashlib.sha256(stream.read()).hexdigest()
if found != wanted:
    os.remove(part)
    sys.stderr.write("arrived as " + found)
    sys.exit(94)
os.replace(part, final)
os.fsync(os.open(folder, os.O_RDONLY))
sys.excepthook = sys.__excepthook__
"""
#: Runs the agent from memory: a board that is only looked at keeps nothing. It is read from stdin
#: before the request.
_FROM_MEMORY = """
import importlib.abc, importlib.util, io, sys, zipfile
bundle = zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read(int(sys.argv.pop(1)))))
class Bundle(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        for file in (name.replace(".", "/") + end for end in ("/__init__.py", ".py")):
            if file in bundle.namelist():
                return importlib.util.spec_from_loader(
                    name, self, origin=file, is_package=file.endswith("__init__.py"))
    def exec_module(self, module):
        code = bundle.read(module.__spec__.origin)
        exec(compile(code, module.__spec__.origin, "exec"), module.__dict__)
sys.meta_path.insert(0, Bundle())
from board_agent.main import main
sys.exit(main())
"""


def installed(file: str) -> list[str]:
    """Start the agent that lies there; ends with NO_AGENT where there is none."""
    return ["sh", "-c", _ASK, "sh", file, _INSTALLED]


def adopted(file: str, sha256: str, size_bytes: int) -> list[str]:
    """Keep the agent there and start it: its bytes come first on stdin, the request behind them."""
    return ["python3", "-c", _ADOPT + _START, file, sha256, str(size_bytes)]


def from_memory(size_bytes: int) -> list[str]:
    """Start the agent and keep nothing: its bytes come first on stdin, the request behind them."""
    return ["python3", "-c", _FROM_MEMORY, str(size_bytes)]
