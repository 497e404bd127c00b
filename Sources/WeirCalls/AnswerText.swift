package import NIOCore

/// What a server says in its answer, made fit for a sentence: one line, short, printable, without our secrets.
package enum AnswerText {
    package static func clean(_ body: ByteBuffer, secrets: [String], most: Int = 200) -> String {
        clean(body.readableBytesView, secrets: secrets, most: most)
    }

    /// - Parameter most: characters.
    package static func clean(_ bytes: some Collection<UInt8>, secrets: [String] = [], most: Int = 200) -> String {
        var text = String(decoding: bytes.prefix(most * 4), as: UTF8.self)
        for secret in secrets where !secret.isEmpty {
            text = text.split(separator: secret, omittingEmptySubsequences: false).joined(separator: "***")
        }
        let words = text.unicodeScalars.map { scalar -> Character in
            scalar.properties.generalCategory == .control || scalar.value == 0xFFFD ? " " : Character(scalar)
        }
        let line = String(words).split(separator: " ").joined(separator: " ")
        return line.count > most ? String(line.prefix(most - 1)) + "…" : line
    }
}
