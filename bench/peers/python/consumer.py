"""Kafka to PostgreSQL exactly once, by hand: rows and offsets are one transaction.
usage: consumer.py MEMBER MEMBERS     this process reads the partitions p with p % MEMBERS == MEMBER"""

import os
import sys

import orjson
import psycopg
from confluent_kafka import Consumer, KafkaException, TopicPartition

BATCH = 10_000
# Numbers and booleans as Python writes them; text is quoted, so that only a real None is NULL.
COPY = f"COPY {os.environ['TABLE']} (id, user_id, kind, amount, ts, note, ok) FROM STDIN (FORMAT csv, NULL 'None')"
MOVE = "UPDATE consumer_offsets SET next = %s WHERE topic = %s AND partition = %s AND next = %s"


def quoted(text):
    return "None" if text is None else '"' + text.replace('"', '""') + '"'


def rows_of(messages):
    for message in messages:
        get = orjson.loads(message.value()).get
        yield (
            f"{get('id')},{get('user_id')},{quoted(get('kind'))},{get('amount')},{quoted(get('ts'))},"
            f"{quoted(get('note'))},{get('ok')}\n"
        )


def store(connection, topic, messages, standing):
    moved = {message.partition(): message.offset() + 1 for message in messages}
    with connection.transaction(), connection.cursor() as cursor:
        with cursor.copy(COPY) as copy:
            copy.write("".join(rows_of(messages)))
        for partition, offset in moved.items():
            cursor.execute(MOVE, (offset, topic, partition, standing[partition]))
            if cursor.rowcount != 1:
                raise RuntimeError(f"partition {partition} is not at {standing[partition]}: another consumer runs")
    standing.update(moved)


def main():
    topic, member, members = os.environ["TOPIC"], int(sys.argv[1]), int(sys.argv[2])
    consumer = Consumer({
        "bootstrap.servers": os.environ["BROKERS"], "group.id": os.environ["RUN"], "enable.auto.commit": False,
        "auto.offset.reset": "error", "fetch.queue.backoff.ms": 10,
    })
    with psycopg.connect(os.environ["DSN"], autocommit=True) as connection:
        mine = [p for p in consumer.list_topics(topic, 30).topics[topic].partitions if p % members == member]
        for partition in mine:
            connection.execute("INSERT INTO consumer_offsets VALUES (%s, %s, 0) ON CONFLICT DO NOTHING", (topic, partition))
        rows = connection.execute("SELECT partition, next FROM consumer_offsets WHERE topic = %s", (topic,))
        standing = {partition: offset for partition, offset in rows if partition in mine}
        consumer.assign([TopicPartition(topic, p, offset) for p, offset in standing.items()])
        while True:
            messages = consumer.consume(BATCH, 0.2)
            for message in messages:
                if message.error():
                    raise KafkaException(message.error())
            if messages:
                store(connection, topic, messages, standing)


main()
