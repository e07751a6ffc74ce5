"""Gathers concurrent questions into batches for the one thread that runs the model."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from protocol import Answer, ApiError, Decoding

log = logging.getLogger("adapter")

Q = TypeVar("Q")  # a question


@dataclass(slots=True, eq=False)
class _Job(Generic[Q]):
    question: Q
    decoding: Decoding
    key: Hashable  # jobs of one key may share a batch
    alone: bool
    arrived: float
    answer: asyncio.Future[Answer] = field(repr=False)


class Batches(Generic[Q]):
    """A queue in order of arrival: the oldest job chooses the batch, and jobs of its key that wait already, or come within
    the wait, go with it. A seeded job goes alone, because the random numbers of a batch are drawn for all of its rows.

    All methods belong to one event loop; only run is called elsewhere, by one thread.
    """

    def __init__(self, run: Callable[[Sequence[Q], Decoding], list[Answer]], *, most: int, wait_s: float) -> None:
        self._run, self._most, self._wait_s = run, most, wait_s
        self._jobs: list[_Job[Q]] = []
        self._running: list[_Job[Q]] = []
        self._arrival = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._free_since = 0.0  # when the model ended its latest batch
        self._batch_s = 1.0  # a moving mean of what a batch takes
        self.sizes: dict[int, int] = {}  # how many batches there were of a size
        self.failed = False  # whether the latest batch failed

    @property
    def waiting(self) -> int:
        return sum(not job.answer.done() for job in self._jobs)

    def retry_after_s(self) -> int:
        """How long it may take until the queue is half as long."""
        return math.ceil(min(60.0, max(1.0, self._batch_s * self.waiting / self._most / 2)))

    async def ask(self, question: Q, decoding: Decoding, shape: Hashable) -> Answer:
        """The answer. Cancelling the caller takes the question out of the queue, unless the model has it already."""
        loop = asyncio.get_running_loop()
        job = _Job(question, decoding, (decoding, shape), decoding.seed is not None, loop.time(), loop.create_future())
        self._jobs.append(job)
        self._arrival.set()
        return await job.answer

    async def serve(self) -> None:
        """Runs batches until it is cancelled."""
        try:
            while True:
                self._running = await self._gather()
                await self._answer(self._running)
                # Clients that got their answers ask the next question within the wait: without it, those who waited
                # meanwhile would make a small batch, and the others the next one, for ever.
                self._free_since = asyncio.get_running_loop().time()
        finally:
            for job in self._running + self._jobs:
                job.answer.cancel()
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def _gather(self) -> list[_Job[Q]]:
        while True:
            self._jobs = [job for job in self._jobs if not job.answer.done()]  # done: its client went away
            self._arrival.clear()
            left = None
            if self._jobs:
                head = self._jobs[0]
                batch = [job for job in self._jobs if job.key == head.key and not job.alone][: self._most]
                left = max(head.arrived, self._free_since) + self._wait_s - asyncio.get_running_loop().time()
                if head.alone or len(batch) == self._most or left <= 0:
                    batch = [head] if head.alone else batch
                    self._jobs = [job for job in self._jobs if job not in batch]
                    return batch
            try:
                async with asyncio.timeout(left):
                    await self._arrival.wait()
            except TimeoutError:
                pass

    async def _answer(self, batch: list[_Job[Q]]) -> None:
        start = time.monotonic()
        questions = [job.question for job in batch]
        try:
            answers = await asyncio.get_running_loop().run_in_executor(self._thread, self._run, questions, batch[0].decoding)
        except Exception as e:
            log.exception("a batch of %d failed", len(batch))
            self.failed = not isinstance(e, ApiError)
            error = ApiError(500, "the model failed: see the server's log") if self.failed else e
            for job in batch:
                if not job.answer.done():
                    job.answer.set_exception(error)
            return
        took = time.monotonic() - start
        self._batch_s += 0.3 * (took - self._batch_s)
        self.failed = False
        self.sizes[len(batch)] = self.sizes.get(len(batch), 0) + 1
        log.info("batch of %d in %.2f s, %d waiting", len(batch), took, self.waiting)
        for job, answer in zip(batch, answers, strict=True):
            if not job.answer.done():
                job.answer.set_result(answer)
