internal import Foundation
internal import NIOCore

/// A message of the work queue, as pycti publishes it: JSON with the bundle of one object in base64.
struct QueueMessage {
    var bundleID: String
    var applicantID: String
    var work: String?

    /// - Parameter number: from 1.
    func bytes(_ part: BundleSplitter.Part, number: Int) -> ByteBuffer {
        var bundle = ByteBuffer()
        JSONValue.object([
            "type": "bundle", "id": .string(bundleID), "spec_version": "2.1",
            "x_opencti_seq": .integer(Int64(part.sequence)), "objects": [.object(part.object)],
        ]).write(to: &bundle)
        var message: JSONObject = [
            "bundle_type": "QUEUE_BUNDLE", "applicant_id": .string(applicantID),
            "action_sequence": .integer(Int64(number)), "entities_types": [],
            "content": .string(Data(bundle.readableBytesView).base64EncodedString()), "update": false,
            "draft_id": nil, "no_split": false,
        ]
        if let work { message["work_id"] = .string(work) }
        var bytes = ByteBuffer()
        JSONValue.object(message).write(to: &bytes)
        return bytes
    }
}
