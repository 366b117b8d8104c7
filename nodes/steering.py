"""A run while it is rendered: frame by frame, and between two of them whatever somebody asked for meanwhile."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from . import host
from .core.errors import FramedriftError
from .diffuser import HostDiffuser
from .job import Job, run_store

if TYPE_CHECKING:
    from .core.run import Command, Run

log = logging.getLogger("framedrift")

#: What the page is told of a run; see docs/runs.md.
EVENT = "framedrift.run"


class Steered:
    """Renders one job into its run, and goes where it is steered: the run at hand may become a branch of itself."""

    def __init__(self, job: Job) -> None:
        """Opens the job's run, which stays locked until `close`."""
        self._first = job
        self._diffuser: HostDiffuser | None = None
        self._ending = "interrupted"
        self._open(job.open_run())

    def render(self) -> None:
        """Makes what is left of the animation.

        Ends early where somebody asks it to stop; raises what `host.interrupt` does where it is cancelled.
        """
        from .core.feedback import StopRun

        state = "stopped"
        try:
            self.run.mark("running")
            self._report("running")
            while (wanted := self._attend()) != "stop":
                if wanted is None and not self._frames():
                    self.run.finish()
                    # Given while the end was written down: an extension, say.
                    if not self._controls.waiting():
                        state = "complete"
                        break
        except StopRun as stop:
            log.warning("%s: %s What there is is handed on.", self.run.name, stop)
        except BaseException:
            self._report(self._ending)
            raise
        if state == "stopped":
            self.run.mark(state)
            run_store().note_change()
        self._report(state)

    def frames(self):
        """The frames that there are."""
        score = self.job.score
        return self.run.frames(
            fps=score.fps, num_frames=score.num_frames, size=score.size, track=score.track,
            settings=self.job.settings.warp,
        )  # fmt: skip

    def close(self) -> None:
        """Lets the run go."""
        self.run.close()
        # Given after the last look: there is something to do for the same graph, which ComfyUI may have in its cache.
        if self._controls.waiting():
            run_store().note_change()

    def __enter__(self) -> Steered:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self, run: Run) -> None:
        """Takes a run, with the edits that its journal has."""
        from .core.run import Controls

        self.run, self._controls = run, Controls(run)
        self._pending: list[Command] = []
        try:
            self.job = self._first.edited(run.edits)
        except BaseException:
            run.close()
            raise
        self._settled = self.job

    def _frames(self) -> bool:
        """Makes frames until something is asked for (True), or until none is left (False)."""
        from .core.feedback import animate

        job, run = self.job, self.run
        plans = job.score.plans
        done = job.score.plan_index(run.last_index)
        if done < len(plans):
            job.ensure_room(run.path, len(plans) - done)
        if self._diffuser is None:
            self._diffuser = HostDiffuser(job)
        try:
            self._diffuser.follow(job, done)
        except FramedriftError as error:
            if not self._pending:
                raise
            self._leave_out(error)
            return True
        self._settled = job
        if job.score.track is not None:
            run.keep_track(job.score.track)
        text = host.file_metadata(job.hidden)
        edits = [command.entry() for command in self._pending]
        for frame in animate(run, plans, job.scene(), self._diffuser, job.settings, text, edits):
            self._controls.done(*self._pending)
            self._pending = []
            self._report("running")
            self._diffuser.frame_done(frame.image)
            if self._controls.waiting():
                return True
        return False

    def _attend(self) -> str | None:
        """Does what is asked for between two frames; "again" where it changed what comes, "stop" to end."""
        from .core.run import attend

        commands = attend(self.run, self._controls, host.check_interrupted, self._report)
        if not commands:
            return None
        action = commands[0].action
        if action == "stop":
            return "stop"
        if action == "cancel":
            self._ending = "cancelled"
            self.run.mark("cancelled")
            host.interrupt()
        if action == "rewind":
            self._rewind(commands[0])
        else:
            for command in commands:
                self._edit(command)
        return "again"

    def _edit(self, command: Command) -> None:
        """Goes on with other inputs from the next frame on; with the old ones where they cannot be."""
        try:
            self.job = self.job.edited([{**command.entry(), "after": self.run.last_index}])
            self._pending.append(command)
        except FramedriftError as error:
            self._say_left_out(command, error)

    def _leave_out(self, error: FramedriftError) -> None:
        """Goes back to the job before the edits that wait: what they need cannot be had."""
        self.job = self._settled
        for command in self._pending:
            self._say_left_out(command, error)
        self._pending = []

    def _say_left_out(self, command: Command, error: FramedriftError) -> None:
        log.warning("%s: the %s is left out: %s", self.run.name, command.action, error)
        self._controls.done(command)
        self._report("running", problem=str(error))

    def _rewind(self, command: Command) -> None:
        """Goes on with a branch that ends at an earlier frame."""
        frame, controls = command.arguments["frame"], self._controls
        try:
            branch = self.run.branch(frame)
        except FramedriftError as error:
            self._say_left_out(command, error)
            return
        self.run.mark("stopped")
        self._report("stopped")
        self.run.close()
        log.info("going on with %s, a branch of %s after frame %d", branch, self.run.name, frame)
        self._open(run_store().open(branch))
        # What was given while the branch was made.
        self._controls.take_over(controls)
        self.run.mark("running")

    def _report(self, state: str, **more: Any) -> None:
        run, score = self.run, self.job.score
        made = len(run.entries)
        host.send_event(
            EVENT,
            {
                "node": self.job.hidden.unique_id,
                "run": run.name,
                "state": state,
                "frame": run.last_index,
                "frames": made,
                # An edit of the cadence, or an extension, leaves frames that no plan has any more.
                "total": made + len(score.plans) - score.plan_index(run.last_index),
                "num_frames": score.num_frames,
                **more,
            },
        )
