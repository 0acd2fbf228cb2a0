def run(arguments):
    return 1
