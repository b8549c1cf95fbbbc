"""Order of the tests: those that fork a warm process come before those that draw, after which it could not fork."""


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.stem != "test_report")
