"""A ``/proc`` of files, with the processes that a test wants."""

from pathlib import Path


class ProcDouble:
    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "sys").mkdir(parents=True)

    def add(
        self,
        pid: int,
        cgroup: str = "0::/",
        *,
        start_time: int = 1000,
        namespace_pids: tuple[int, ...] = (),
        environ: dict[str, str] | None = None,
        name: str = "python",
    ) -> None:
        folder = self.root / str(pid)
        if folder.exists():
            # Kept aside, so that the folder of the new process has another inode.
            folder.rename(self.root / f"ended-{len(list(self.root.iterdir()))}")
        folder.mkdir()
        zeros = " ".join(["0"] * 18)
        (folder / "stat").write_text(f"{pid} ({name}) S {zeros} {start_time} 0 0\n")
        (folder / "cgroup").write_text(cgroup + "\n")
        shown = "\t".join(str(each) for each in namespace_pids or (pid,))
        (folder / "status").write_text(
            f"Name:\t{name}\nNStgid:\t{shown}\nNSpid:\t{shown}\nThreads:\t1\n"
        )
        pairs = [f"{key}={value}" for key, value in (environ or {}).items()]
        (folder / "environ").write_text("\0".join(pairs))

    def end(self, pid: int) -> None:
        (self.root / str(pid)).rename(self.root / f"ended-{len(list(self.root.iterdir()))}")
