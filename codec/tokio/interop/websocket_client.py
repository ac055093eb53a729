"""Python's `websocket-client`: sends each TEXT, and prints what comes back.

Usage: websocket_client.py URL TEXT...
"""

import sys

from websocket import create_connection

connection = create_connection(sys.argv[1], timeout=20)
for text in sys.argv[2:]:
    connection.send(text)
    print(connection.recv())
connection.close()
