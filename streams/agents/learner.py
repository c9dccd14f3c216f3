"""The Faust agent that teaches the models: every example is scored first and learned after."""

from typing import Any

from streams.engine.learning import Lesson
from streams.engine.work import fail


def register(app: Any, channel: Any) -> None:
    """Attach the agent to the app. It answers every `Lesson`, always."""

    @app.agent(channel, name="learner")  # type: ignore[untyped-decorator]
    async def learner(stream: Any) -> None:
        async for lesson in stream:
            try:
                lesson.answer.set_result(teach(lesson))
            except Exception as broken:
                fail(lesson, broken)


def teach(lesson: Lesson) -> int:
    """Teach the lesson's examples in their order; how many were learned."""
    return sum(lesson.learner.learn(merged.example) == "learned" for merged in lesson.examples)
