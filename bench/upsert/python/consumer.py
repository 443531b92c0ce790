"""Kafka to PostgreSQL as most people write an upsert: executemany with ON CONFLICT; rows and offsets are one transaction.
usage: consumer.py BROKERS TOPIC DSN     up to the ends that the topic has at the start"""

import sys

import orjson
import psycopg
from confluent_kafka import Consumer, KafkaException, TopicPartition

BATCH = 10_000
UPSERT = (
    "INSERT INTO events (id, user_id, kind, amount, ts, note, ok) VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO UPDATE SET "
    "user_id = EXCLUDED.user_id, kind = EXCLUDED.kind, amount = EXCLUDED.amount, ts = EXCLUDED.ts, note = EXCLUDED.note, ok = EXCLUDED.ok"
)


def main():
    brokers, topic, dsn = sys.argv[1:]
    consumer = Consumer({
        "bootstrap.servers": brokers, "group.id": "upsert", "enable.auto.commit": False, "auto.offset.reset": "error",
        "fetch.queue.backoff.ms": 10,
    })
    partitions = consumer.list_topics(topic, 30).topics[topic].partitions
    left = sum(consumer.get_watermark_offsets(TopicPartition(topic, p))[1] for p in partitions)
    consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE consumer_offsets (partition int PRIMARY KEY, next bigint)")
        while left > 0:
            messages = consumer.consume(BATCH, 0.2)
            rows, moved = [], {}
            for message in messages:
                if message.error():
                    raise KafkaException(message.error())
                get = orjson.loads(message.value()).get
                rows.append((get("id"), get("user_id"), get("kind"), get("amount"), get("ts"), get("note"), get("ok")))
                moved[message.partition()] = message.offset() + 1
            if not rows:
                continue
            with connection.transaction(), connection.cursor() as cursor:
                cursor.executemany(UPSERT, rows)
                cursor.executemany(
                    "INSERT INTO consumer_offsets VALUES (%s, %s) ON CONFLICT (partition) DO UPDATE SET next = EXCLUDED.next",
                    list(moved.items()),
                )
            left -= len(rows)


main()
