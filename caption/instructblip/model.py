"""InstructBLIP itself: loading a checkpoint, preparing questions, answering a batch of them."""

import hashlib
import io
import logging
import secrets
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from huggingface_hub import snapshot_download
from PIL import Image, ImageOps
from transformers import (
    GenerationConfig,
    InstructBlipForConditionalGeneration,
    InstructBlipProcessor,
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
)

from protocol import Answer, ApiError, Decoding

log = logging.getLogger("adapter")

PICTURE_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
IMAGE_TOKEN = "<image>"


@dataclass(frozen=True, slots=True)
class Question:
    """A prepared request: the processor's tensors, of batch size 1, on the CPU."""

    tensors: dict[str, torch.Tensor]

    @property
    def shape(self) -> tuple[int, int]:
        """Tokens for the language model and for the Q-Former. Only questions of one shape share a batch, so that none is
        padded: the repetition penalty of the decoder-only kind would count the padding as if it were text."""
        return self.tensors["input_ids"].shape[1], self.tensors["qformer_input_ids"].shape[1]


class Model:
    """A loaded checkpoint. prepare may be called by many threads, answer by one."""

    def __init__(self, folder: Path, *, device: torch.device, dtype: torch.dtype, penalize_prompt: bool = True) -> None:
        self.device, self.dtype = device, dtype
        self._penalize_prompt = penalize_prompt
        self._lock = threading.Lock()  # the tokenizers are not safe for concurrent use
        # By class: the processor_config.json of some revisions names InstructBlipVideoProcessor.
        self._processor = InstructBlipProcessor.from_pretrained(folder, local_files_only=True)
        net = InstructBlipForConditionalGeneration.from_pretrained(folder, dtype=dtype, local_files_only=True)
        self._complete(net, self._processor)
        self._net = net.to(device).eval()
        self._decoder_only: bool = net.config.use_decoder_only_language_model

        # The Vicuna checkpoints' text_config has end 1 and padding -1, from another tokenizer: ask the tokenizer.
        tokenizer = self._processor.tokenizer
        configured = net.generation_config.eos_token_id
        configured = configured if isinstance(configured, list) else [configured]
        text = net.config.text_config
        ends = {tokenizer.eos_token_id} if self._decoder_only else {tokenizer.eos_token_id, *configured}
        self._ends = sorted(ends - {None})
        self._special = {
            "eos_token_id": self._ends,
            "pad_token_id": self._ends[0] if tokenizer.pad_token_id is None else tokenizer.pad_token_id,
            "bos_token_id": tokenizer.bos_token_id,
            "decoder_start_token_id": None if self._decoder_only else getattr(text, "decoder_start_token_id", 0),
        }
        self._most_qformer = net.config.qformer_config.max_position_embeddings
        self._most_context = getattr(text, "max_position_embeddings", None) if self._decoder_only else None

    @staticmethod
    def _complete(net: InstructBlipForConditionalGeneration, processor: InstructBlipProcessor) -> None:
        """Adds what revisions from before transformers 4.46 lack: the place of the picture in the prompt."""
        if processor.num_query_tokens is None:
            processor.num_query_tokens = net.config.num_query_tokens
        image = processor.tokenizer.convert_tokens_to_ids(IMAGE_TOKEN)
        if net.config.image_token_index != image:
            log.info("the picture's token is %d here, not %s", image, net.config.image_token_index)
            net.config.image_token_index = image
        rows = net.get_input_embeddings().num_embeddings
        if image >= rows:  # its embedding is never used: the picture takes its place
            net.resize_token_embeddings(image + 1, pad_to_multiple_of=64, mean_resizing=False)

    def prepare(self, prompt: str, encoded: bytes, most_pixels: int) -> Question:
        picture = decode(encoded, most_pixels)
        with self._lock:
            tensors = dict(self._processor(images=picture, text=prompt, return_tensors="pt"))
        question = Question(tensors)
        places = int((tensors["input_ids"] == self._net.config.image_token_index).sum())
        if places != self._net.config.num_query_tokens:
            raise ApiError(400, f"messages: the prompt may not hold {IMAGE_TOKEN}", param="messages")
        if question.shape[1] > self._most_qformer:
            why = f"messages: the prompt has {question.shape[1]} Q-Former tokens, more than {self._most_qformer}"
            raise ApiError(400, why, param="messages", code="context_length_exceeded")
        return question

    def check(self, question: Question, decoding: Decoding) -> None:
        """Refuses what does not fit into the language model's context."""
        needed = question.shape[0] + decoding.max_tokens
        if self._most_context is not None and needed > self._most_context:
            why = f"max_tokens: with the prompt that is {needed} tokens, more than the model's {self._most_context}"
            raise ApiError(400, why, param="max_tokens", code="context_length_exceeded")

    def answer(self, questions: Sequence[Question], decoding: Decoding) -> list[Answer]:
        """Answers questions of one shape, in halves where memory runs out."""
        try:
            return self._generate(questions, decoding)
        except torch.OutOfMemoryError:
            if len(questions) == 1:
                raise ApiError(
                    503, "out of memory: ask for fewer beams or tokens, or run the server on a larger device"
                ) from None
        # Not in the handler, where the traceback still holds the tensors.
        torch.cuda.empty_cache()
        half = len(questions) // 2
        log.warning("out of memory with a batch of %d: trying halves; --max-batch %d avoids it", len(questions), half)
        return self.answer(questions[:half], decoding) + self.answer(questions[half:], decoding)

    @torch.inference_mode()
    def _generate(self, questions: Sequence[Question], decoding: Decoding) -> list[Answer]:
        batch = {name: torch.cat([q.tensors[name] for q in questions]).to(self.device) for name in questions[0].tensors}
        batch["pixel_values"] = batch["pixel_values"].to(self.dtype)
        prompt = questions[0].shape[0]
        processors = LogitsProcessorList()
        if self._decoder_only and not self._penalize_prompt and decoding.repetition_penalty != 1:
            processors.append(RepetitionPenaltyLogitsProcessor(decoding.repetition_penalty, prompt_ignore_length=prompt))
        if decoding.temperature > 0:
            torch.manual_seed(secrets.randbits(63) if decoding.seed is None else decoding.seed)
        output = self._net.generate(**batch, generation_config=self._config(decoding), logits_processor=processors)
        # The decoder-only kind repeats the prompt; the T5 kind begins with its decoder's start token.
        cut = prompt if self._decoder_only else 1
        return [self._read(row, prompt) for row in output[:, cut:].tolist()]

    def _config(self, d: Decoding) -> GenerationConfig:
        sampling = {}
        if d.temperature > 0:
            sampling = {
                "temperature": d.temperature,
                "top_p": d.top_p,
                "top_k": d.top_k,  # 0 is off; transformers' default would be 50
                "min_p": d.min_p or None,
            }
        return GenerationConfig(
            do_sample=d.temperature > 0,
            num_beams=d.num_beams,
            max_new_tokens=d.max_tokens,
            min_new_tokens=d.min_tokens or None,
            repetition_penalty=d.repetition_penalty,
            length_penalty=d.length_penalty,
            use_cache=True,
            **sampling,
            **self._special,
        )

    def _read(self, row: list[int], prompt: int) -> Answer:
        """Reads the new tokens of one row, which after an end token are padding."""
        end = next((i for i, token in enumerate(row) if token in self._ends), None)
        tokens = row if end is None else row[: end + 1]
        with self._lock:
            # Like transformers' processor: special tokens are left out, the unknown (0) and the end (2) of Vicuna alike.
            text = self._processor.decode(tokens, skip_special_tokens=True).strip()
        return Answer(text, "length" if end is None else "stop", prompt, len(tokens))


def decode(encoded: bytes, most_pixels: int) -> Image.Image:
    """The picture upright, in RGB, on white where it is transparent: as a person sees it."""
    try:
        with Image.open(io.BytesIO(encoded), formats=PICTURE_FORMATS) as picture:  # reads the header alone
            width, height = picture.size
            if width * height > most_pixels:
                raise ApiError(
                    413, f"messages: the picture has {width} by {height} pixels, more than {most_pixels}", param="messages"
                )
            upright = ImageOps.exif_transpose(picture)
            if upright.mode.startswith("I;16"):  # Pillow's convert would make white of all that is not nearly black
                upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
            if upright.has_transparency_data:
                upright = upright.convert("RGBA")
                upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright)
            return upright.convert("RGB")
    except ApiError:
        raise
    except Exception as e:  # Pillow's decoders raise whatever they like for broken data
        log.info("a picture could not be read: %s", e)
        formats = ", ".join(PICTURE_FORMATS)
        raise ApiError(
            400, f"messages: the picture is broken or not one of {formats}", param="messages", code="invalid_image"
        ) from None


def locate(name: str, revision: str | None) -> tuple[Path, str]:
    """The folder of a checkpoint, from the Hub if name is not a folder, and its revision: the Hub's commit, or a digest."""
    folder = Path(name)
    if folder.is_dir():
        if revision is not None:
            raise ValueError("--revision is for the Hub: a folder has one")
        return folder, digest(folder)
    patterns = ["*.json", "*.model", "*.txt", "*.safetensors"]
    folder = Path(snapshot_download(name, revision=revision, allow_patterns=patterns))
    if not any(folder.glob("*.safetensors")):
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=[*patterns, "*.bin"]))
    return folder, folder.name


def digest(folder: Path) -> str:
    """A SHA-256 over the checkpoint's files. Of a large file only the size, the first MiB, which holds the header of
    safetensors, and 1024 blocks of 4 KiB spread evenly are read: tens of gigabytes would take minutes."""
    whole, block, blocks = 1 << 20, 4 << 10, 1024
    h = hashlib.sha256()
    for path in sorted(_files(folder)):
        size = path.stat().st_size
        h.update(f"{path.relative_to(folder).as_posix()}\0{size}\0".encode())
        with path.open("rb") as f:
            h.update(f.read(whole))
            if size <= whole + block * blocks:
                h.update(f.read())
                continue
            for i in range(blocks):
                f.seek(whole + (size - whole - block) * i // (blocks - 1))
                h.update(f.read(block))
    return "sha256:" + h.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    for pattern in ("*.json", "*.model", "*.txt", "*.safetensors", "*.bin", "qformer_tokenizer/*"):
        yield from (path for path in folder.glob(pattern) if path.is_file())
