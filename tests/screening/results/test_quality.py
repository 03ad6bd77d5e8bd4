from ionsieve.data.embedded.model_scores import SHIPPED, load_model_scores
from ionsieve.screening.results.quality import shipped_quality


def test_the_page_shows_every_score_of_the_shipped_model() -> None:
    shown = shipped_quality()
    table = load_model_scores()
    scores = table[(table["method"] == SHIPPED) & ~table["score"].str.endswith("is stated")]
    assert len(shown.rows) == len(scores)
    assert shown.columns[:3] == ("labels", "score", SHIPPED)
    value = scores["value"].iloc[0]
    assert shown.rows[0][2].startswith(f"{value:.2f} [")
    assert all(len(row) == len(shown.columns) for row in shown.rows)
