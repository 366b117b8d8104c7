"""The host's model, VAE and sampler behind core's ``Diffuser``, with one progress bar over frames and steps."""

from __future__ import annotations

from . import host
from .job import Job


class HostDiffuser:
    """Encodes, samples and decodes one picture after the other, and shows how far it has come."""

    def __init__(self, job: Job, done: int) -> None:
        """Takes the job, and how many of its plans are made already."""
        self.previewer = host.latent_previewer(job.model)
        self.model = host.with_stepwise_masks(job.model)
        self.cell = host.size_multiple(job.vae)
        self.follow(job, done)

    def follow(self, job: Job, done: int) -> None:
        """Goes on with this job, of which `done` plans are made; its model and VAE are the first one's."""
        plans = job.score.plans
        self.job = job
        self.progress = host.Progress(sum(plan.steps for plan in plans))
        self.base = sum(plan.steps for plan in plans[:done])
        self.steps = [plan.steps for plan in plans[done:]]
        self.progress.step(self.base)

    def diffuse(self, image, plan, diffusion):
        """One picture through encode, sample and decode."""
        job = self.job
        host.check_interrupted()
        score = job.score
        positive, negative, _ = score.prompts.at(plan.frame, score.num_frames, score.seed)
        name, scheduler = job.inputs["sampler_name"], job.inputs["scheduler"]
        sigmas = host.sigmas(job.model, scheduler, name, diffusion.total_steps)[-(diffusion.steps + 1) :]
        latent = host.empty_latent(job.model, job.vae, score.size) if image is None else host.vae_encode(job.vae, image)

        def on_step(step, x0, x, total):
            preview = self.previewer(x0) if self.previewer is not None else None
            self.progress.step(self.base + self.steps[0] * (step + 1) / total, preview)

        latent = host.sample(
            self.model, latent, positive, negative, seed=plan.seed, sigmas=sigmas, cfg=plan.cfg,
            sampler_name=name, denoise_mask=diffusion.mask, callback=on_step,
            subseed=plan.subseed, subseed_strength=plan.subseed_strength,
        )  # fmt: skip
        return host.vae_decode(job.vae, latent).cpu()

    def frame_done(self, image):
        """Shows the finished frame."""
        self.base += self.steps.pop(0)
        self.progress.step(self.base, image)
        host.check_interrupted()
