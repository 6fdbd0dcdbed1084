#include "proto/registry.h"

enum { HEAD_SIZE = 5 };

int registry_strip(
	const char *of, struct slice bytes, struct slice *ret_json, struct complaint *complaint)
{
	if (bytes.size <= HEAD_SIZE || bytes.bytes[0] != 0) {
		*ret_json = bytes;
		return 0;
	}
	bytes = slice_of(bytes.bytes + HEAD_SIZE, bytes.size - HEAD_SIZE);
	if (encoding_of(bytes) != ENCODING_JSON) {
		complaint_set(complaint, REASON_BAD_FRAME, "",
			"the %s is Avro or Protobuf of a schema registry; set "
			"%s.converter=org.apache.kafka.connect.json.JsonConverter",
			of, of);
		return REASON_BAD_FRAME;
	}
	*ret_json = bytes;
	return 0;
}
