import pytest


@pytest.mark.points(3)
def test_vowels(student):
    """Vowels are counted in either case.

    zh: 大小写元音都要数。
    """
    assert student.vowels("Attention Is All You Need") == 10
