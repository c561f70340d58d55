def test_a_checkout_ends_with_3_and_names_the_command(tfa, tmp_path):
    ended = tfa("limiter", "--into", tmp_path)
    assert (ended.code, ended.out) == (3, "")
    assert "make limiter" in ended.err


def test_the_folder_has_to_be_named(tfa):
    ended = tfa("limiter")
    assert (ended.code, "--into" in ended.err) == (2, True)
