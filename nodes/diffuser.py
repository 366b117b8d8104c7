"""The host's models, VAE and sampler behind core's ``Diffuser``, with one progress bar over frames and steps."""

from __future__ import annotations

from typing import Any

from . import host
from .cast import Cast
from .job import Job


class HostDiffuser:
    """Encodes, samples and decodes one picture after the other, and shows how far it has come."""

    def __init__(self, job: Job) -> None:
        """Takes the job; `follow` says where it stands."""
        self._previewers: dict[int, Any] = {}
        self.cast = Cast(job.model, job.vae, job.score.prompts, job.score.options)
        self.cell = host.size_multiple(job.vae)

    def follow(self, job: Job, done: int) -> None:
        """Goes on with this job, of which `done` plans are made; its linked model is that of the first one.

        What the others need is loaded and encoded. Raises FramedriftError where something cannot be had.
        """
        score, plans = job.score, job.score.plans
        self.job = job
        self.progress = host.Progress(sum(plan.steps for plan in plans))
        self.base = sum(plan.steps for plan in plans[:done])
        self.steps = [plan.steps for plan in plans[done:]]
        self.progress.step(self.base)
        left = plans[done:]
        if left:
            self.cast.follow(score.prompts, score.options)
            self.cast.check(left, job.inputs["sampler_name"], job.inputs["scheduler"])
            self.cast.prepare(left, score.num_frames, score.seed, host.check_interrupted)

    def diffuse(self, image, plan, diffusion, previous=None):
        """One picture through encode, sample and decode."""
        from .core.feedback.control import controls_of
        from .core.feedback.sampling import sampling_of

        host.check_interrupted()
        score = self.job.score
        model, vae, prompts = self.cast.at(plan)
        how = sampling_of(plan, self.job.inputs["sampler_name"], self.job.inputs["scheduler"])
        positive, negative, _ = prompts.at(plan.frame, score.num_frames, score.seed)
        if how.guidance is not None:
            positive = host.with_guidance(positive, how.guidance)
        if controls := controls_of(score.options, plan, previous):
            positive, negative = host.apply_controls(positive, negative, controls, vae)
        total, given = diffusion.total_steps, diffusion.steps
        sigmas = host.sigmas(model, how.scheduler, how.sampler_name, total)[-(given + 1) :]
        latent = host.empty_latent(model, vae, score.size) if image is None else host.vae_encode(vae, image)
        # Text to image starts from noise as the model knows it.
        multiplier = 1.0 if image is None else plan.values.get("noise_multiplier_schedule", 1.0)

        # One for each kind of latents, and no more: making one loads its decoder.
        if id(vae) not in self._previewers:
            self._previewers[id(vae)] = host.latent_previewer(model)
        previewer = self._previewers[id(vae)]

        def on_step(step, x0, x, total):
            preview = previewer(x0) if previewer is not None else None
            self.progress.step(self.base + self.steps[0] * (step + 1) / total, preview)

        latent = host.sample(
            model, latent, positive, negative, seed=plan.seed, sigmas=sigmas, cfg=plan.cfg,
            sampler_name=how.sampler_name, denoise_mask=diffusion.mask, callback=on_step,
            subseed=plan.subseed, subseed_strength=plan.subseed_strength, eta=how.eta, noise_multiplier=multiplier,
        )  # fmt: skip
        return host.vae_decode(vae, latent).cpu()

    def frame_done(self, image):
        """Shows the finished frame."""
        self.base += self.steps.pop(0)
        self.progress.step(self.base, image)
        host.check_interrupted()
