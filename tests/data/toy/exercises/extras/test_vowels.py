def test_word(student):
    """The word `banana` has three.

    zh: banana 有三个。
    """
    assert student.vowels("banana") == 3
