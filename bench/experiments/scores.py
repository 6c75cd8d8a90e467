"""What a run came to, from its results.json."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Scores:
    """Exact match in per cent, losses in nats; None where a run has none.

    train, test: average over the tasks at the end, training and test questions.
    learned: training questions of each task when it had just been learned, on average.
    retained: training questions of all tasks but the last, at the end, on average.
    loss: mean token loss of the training answers at the end, over the tasks.
    general_start, general: perplexity of held-out general text, of the starting checkpoint and at the end.
    general_loss: the log of the latter.
    minutes: of training, Fisher passes and evaluation.
    """

    train: float
    test: float
    learned: float
    retained: float
    loss: float
    general_start: float
    general: float
    general_loss: float
    minutes: float

    @staticmethod
    def of(results):
        matrix = results["matrix"]["train"]
        last = len(matrix) - 1
        protected = results.get("protected")
        return Scores(
            train=results["metrics"]["train"]["average"],
            test=results["metrics"]["test"]["average"],
            learned=mean(matrix[i][i] for i in range(last + 1)),
            retained=mean(matrix[last][:last]) if last else None,
            loss=results["loss_metrics"]["train"]["average"],
            general_start=protected["perplexity"][0] if protected else None,
            general=protected["perplexity"][-1] if protected else None,
            general_loss=protected["loss"][-1] if protected else None,
            minutes=sum(results["seconds"].values()) / 60,
        )

    def tuning(self):
        """Higher is better, the same for every method: exact match on the training questions of all tasks at the end; where
        general text is to be kept too, minus the sum of both token losses."""
        return self.train if self.general_loss is None else -(self.loss + self.general_loss)


def mean(values):
    values = list(values)
    return sum(values) / len(values)
