"""Whether two questions are the same in other words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.domain.rephrasing import MOST_WORDS, is_same_question

LONG = " ".join(f"word{number}x" for number in range(MOST_WORDS + 1))


@pytest.mark.parametrize(
    ("before", "after", "is_same"),
    [
        ("How do I sort a list in Python?", "how do i sort a list in  python", True),
        ("How do I sort a list in Python?", "Please, how do I sort a list in Python?", True),
        ("How do I sort a list in Python?", "How do I sort a long list in Python?", False),
        ("How do I sort a long list of names in Python?", "How do I sort a list of names in Python, please?", False),
        ("How do I sort a list of names in Python?", "How do I sort a list of names in Python, step by step?", True),
        ("What is the capital of France?", "What is the capital of Spain?", False),
        ("What is the capital of France?", "What is Spain's capital?", False),
        ("Add 2 and 3 and tell me the sum", "Add 2 and 4 and tell me the sum", False),
        ("Add 2 and 3 and tell me the sum", "Add 3 and 2 and tell me the sum", False),
        ("continue", "continue", False),
        ("go on please", "go on please", False),
        (LONG, LONG, True),
        (LONG, f"{LONG} please", False),
        ("", "", False),
        ("如何在Python中对列表排序", "如何在Python中对列表排序。", True),
        ("如何在Python中对列表排序", "请问如何在Python中对列表排序", True),
        ("如何在Python中对列表排序", "如何在Python中读取文件", False),
        ("请用一句话概括一下这本书第三章的主要内容", "请用一句话概括一下这本书第五章的主要内容", False),
        ("リストを並べ替えるには", "リストを並べ替えるには。", True),
        ("为什么", "为什么", False),
    ],
)
def test_the_same_question(before: str, after: str, is_same: bool) -> None:
    """Few words, or signs where there are no spaces, more or less, but no other number; neither short nor long ones."""
    assert is_same_question(before, after) is is_same


@given(st.text(), st.text())
def test_it_is_the_same_either_way(one: str, other: str) -> None:
    """Whichever came first."""
    assert is_same_question(one, other) == is_same_question(other, one)
