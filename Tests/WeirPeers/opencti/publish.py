"""Publishes what it reads, a JSON list of texts, as the bodies of messages, each with a confirm: publish.py PORT USER PASSWORD [CA [CERT KEY]]."""
import json
import ssl
import sys

import pika

port, user, password, *files = sys.argv[1:]
security = None
if files:
    context = ssl.create_default_context(cafile=files[0])
    if files[1:]:
        context.load_cert_chain(*files[1:])
    security = pika.SSLOptions(context, "127.0.0.1")
connection = pika.BlockingConnection(pika.ConnectionParameters(
    host="127.0.0.1", port=int(port), credentials=pika.PlainCredentials(user, password), ssl_options=security))
channel = connection.channel()
channel.confirm_delivery()
for body in json.load(sys.stdin):
    channel.basic_publish(exchange="amqp.worker.exchange", routing_key=f"push_routing_{user}", body=body)
    print("confirmed", flush=True)
connection.close()
