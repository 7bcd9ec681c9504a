from types import ModuleType
from typing import List, Optional

__all__: List[str]

class Status:
    module: Optional[str]
    installed: bool
    in_use: Optional[bool]
    may_posix_spawn: Optional[bool]
    low_numbers: List[int]
    def __init__(self, module: Optional[ModuleType], subprocess_module: Optional[ModuleType]) -> None: ...

def install(low_numbers: Optional[int] = None) -> None: ...
def uninstall() -> None: ...
def status() -> Status: ...
