/// Why something is as it is: a code for machines and a sentence for people.
///
/// The code is from a small closed set (it becomes a metric label): `http_503`, `connect_refused`, `connect_timeout`,
/// `write_timeout`, `request_timeout`, `in_flight_limit`, `buffer_full`, `disk_full`, `unauthorized`, … ; never an id,
/// an address or a message of the receiver.
package struct Reason: Sendable, Hashable, CustomStringConvertible {
    package var code: String
    package var sentence: String

    package init(_ code: String, _ sentence: String) {
        self.code = code
        self.sentence = sentence
    }

    package var description: String { "\(code): \(sentence)" }
}
