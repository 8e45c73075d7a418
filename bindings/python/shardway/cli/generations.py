"""The published generation, and errors that say what is missing in it."""

from __future__ import annotations

from ..documents import Generation, Group, JsonObject
from ..errors import ConfigError, PreconditionFailed
from .context import Context


def published_document(context: Context) -> str:
    """Return the newest generation as JSON text. Raises PreconditionFailed if there is none."""
    document = context.catalog.generation_document()
    if document is None:
        raise _nothing_published()
    return document


def published(context: Context) -> Generation:
    """Return the newest generation. Raises PreconditionFailed if there is none."""
    generation = context.catalog.generation()
    if generation is None:
        raise _nothing_published()
    return generation


def group_of(context: Context, name: str) -> tuple[Generation, Group]:
    """Return the newest generation and one of its groups. Raises ConfigError if there is no such group."""
    generation = context.catalog.generation()
    if generation is not None:
        for group in generation["groups"]:
            if group["group"] == name:
                return generation, group
    raise ConfigError(
        f"the published generation has no group {name}",
        code="invalid_argument",
        hint="`shardway migrate status` lists the groups",
    )


def stage_of(context: Context, name: str) -> JsonObject:
    """Return what a decision about a group depends on: its stage and authority, and the generation."""
    generation, group = group_of(context, name)
    return {
        "stage": group["stage"],
        "authority": group["authority"],
        "generation": generation["generation"],
    }


def _nothing_published() -> PreconditionFailed:
    return PreconditionFailed(
        "no generation is published", code="precondition_failed", hint="run `shardway manifest apply`"
    )
