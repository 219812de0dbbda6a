"""What the tests share: private servers, protocol clients, a message generator.

Nothing here is specific to one test.  `lab.py` puts the pieces together; start there.
"""
