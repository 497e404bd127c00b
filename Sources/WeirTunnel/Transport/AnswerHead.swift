internal import NIOCore

/// The head of an HTTP answer, as far as a proxy's `CONNECT` and an upgrade need it. Read byte by byte from a peer that
/// may be anybody: nothing of what follows the head is touched, and 16 KiB is the most that a head may have.
struct AnswerHead: Sendable, Hashable {
    var status: Int
    var reason: String
    /// Names in lower case.
    var headers: [String: String]

    static let lengthMost = 16 << 10

    enum Reading: Sendable, Hashable {
        case whole(AnswerHead)
        case partial
        case mistake
    }

    /// Takes a head off the front of what has come.
    static func read(_ bytes: inout ByteBuffer) -> Reading {
        let view = bytes.readableBytesView
        guard let end = view.firstRange(of: Array("\r\n\r\n".utf8)) else {
            return view.count > lengthMost ? .mistake : .partial
        }
        let length = end.upperBound - view.startIndex
        guard length <= lengthMost, let text = bytes.readString(length: length) else { return .mistake }
        let lines = text.split(separator: "\r\n", omittingEmptySubsequences: true)
        // `HTTP/1.1 200 Connection established`
        let words = (lines.first ?? "").split(separator: " ", maxSplits: 2)
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), words[1].utf8.count == 3, let status = Int(words[1])
        else { return .mistake }
        var head = AnswerHead(status: status, reason: words.count > 2 ? String(words[2]) : "", headers: [:])
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { return .mistake }
            let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            head.headers[line[..<colon].lowercased()] = String(value)
        }
        return .whole(head)
    }
}
