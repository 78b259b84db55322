/* The part of librdkafka's documented interface that is used, in the library that confluent-kafka has loaded.
 *
 * There is no header of it at installation, so what is needed of that is here, as it has been since version 1.0:
 * https://github.com/confluentinc/librdkafka/blob/master/src/rdkafka.h
 */
#ifndef TICKWIRE_LIBRDKAFKA_H
#define TICKWIRE_LIBRDKAFKA_H

#include "native.h"

/* Versions that this was tried with begin here (rd_kafka_version: MM.mm.rr.xx), and end before the next major one. */
enum { LEAST_VERSION = 0x020f0000, NEXT_MAJOR_VERSION = 0x03000000 };

enum { ERROR_QUEUE_FULL = -184, ERROR_FATAL = -150, ERROR_INVALID_ARGUMENT = -186 };
enum { CONF_OK = 0, TYPE_PRODUCER = 0, NO_COPY = 0, PURGE_QUEUE = 1, PURGE_IN_FLIGHT = 2 };
enum { V_END = 0, V_TOPIC_HANDLE = 2, V_VALUE = 4, V_KEY = 5, V_OPAQUE = 6, V_FLAGS = 7, V_TIMESTAMP = 8, V_HEADERS = 10 };

typedef struct { /* rd_kafka_message_t */
    int error;
    void *topic;
    int32_t partition;
    void *payload;
    size_t size;
    void *key;
    size_t key_size;
    int64_t offset;
    void *opaque;
} KafkaMessage;

typedef struct { /* rd_kafka_metadata_topic_t */
    char *name;
    int partition_count;
    void *partitions;
    int error;
} KafkaTopic;

typedef struct { /* rd_kafka_metadata_t */
    int broker_count;
    void *brokers;
    int topic_count;
    KafkaTopic *topics;
    int32_t broker;
    char *broker_name;
} KafkaMetadata;

typedef void OnReport(void *client, const KafkaMessage *message, void *opaque);
typedef void OnError(void *client, int error, const char *reason, void *opaque);
typedef void OnLog(const void *client, int level, const char *facility, const char *line);

/* Named as in the library, without rd_kafka_. */
#define LIBRDKAFKA(F)                                                                                                  \
    F(int, version, (void))                                                                                            \
    F(const char *, err2str, (int error))                                                                              \
    F(int, last_error, (void))                                                                                         \
    F(void *, conf_new, (void))                                                                                        \
    F(void, conf_destroy, (void *conf))                                                                                \
    F(int, conf_set, (void *conf, const char *name, const char *value, char *words, size_t size))                      \
    F(void, conf_set_opaque, (void *conf, void *opaque))                                                               \
    F(void, conf_set_dr_msg_cb, (void *conf, OnReport *call))                                                          \
    F(void, conf_set_error_cb, (void *conf, OnError *call))                                                            \
    F(void, conf_set_log_cb, (void *conf, OnLog *call))                                                                \
    F(void *, new, (int type, void *conf, char *words, size_t size))                                                   \
    F(void, destroy, (void *client))                                                                                   \
    F(int, set_log_queue, (void *client, void *queue))                                                                 \
    F(void *, opaque, (const void *client))                                                                            \
    F(const char *, name, (const void *client))                                                                        \
    F(int, fatal_error, (void *client, char *words, size_t size))                                                      \
    F(void *, topic_new, (void *client, const char *name, void *conf))                                                 \
    F(void, topic_destroy, (void *topic))                                                                              \
    F(void *, headers_new, (size_t count))                                                                             \
    F(int, header_add, (void *headers, const char *name, Py_ssize_t name_size, const void *value, Py_ssize_t size))    \
    F(void, headers_destroy, (void *headers))                                                                          \
    F(int, message_detach_headers, (KafkaMessage *message, void **headers))                                            \
    F(int, producev, (void *client, ...))                                                                              \
    F(int64_t, message_latency, (const KafkaMessage *message))                                                         \
    F(int, poll, (void *client, int ms))                                                                               \
    F(int, flush, (void *client, int ms))                                                                              \
    F(int, purge, (void *client, int flags))                                                                           \
    F(int, outq_len, (void *client))                                                                                   \
    F(int, metadata, (void *client, int all, void *topic, const KafkaMetadata **found, int ms))                        \
    F(void, metadata_destroy, (const KafkaMetadata *found))

#define LIBRDKAFKA_MEMBER(result, name, arguments) result(*name) arguments;
typedef struct {
    LIBRDKAFKA(LIBRDKAFKA_MEMBER)
} Librdkafka;

extern Librdkafka rdk;
/* Takes the functions whose addresses *find* gives for their names; -1 with an error set: what that raises, or
 * ValueError for a version that this is not known to work with. */
int librdkafka_connect(PyObject *find);

#endif
