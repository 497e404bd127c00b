/// Where a connector's files are. Its id may be any text, so it is escaped: letters, digits, `.`, `_` and `-` stay,
/// other bytes become `%XX`, a leading dot too. What is longer than a file name may be is cut into nested directories
/// whose names end with `~`, so that two ids never share a directory.
struct ConnectorDirectory: Sendable, Hashable {
    let path: String

    /// - Parameter root: the connectors' directory: `data/connectors`.
    init(root: String, connector: ConnectorID) {
        path = root + "/" + Self.escaped(connector)
    }

    var queue: String { path + "/queue" }
    var spool: String { path + "/spool" }

    /// Longest name of a directory; the file systems that matter take 255 bytes.
    private static let nameMost = 200

    /// Of all connectors. No escaped id begins with `~`.
    static func deadLetters(root: String) -> String { root + "/~dead-letters" }

    static func escaped(_ id: ConnectorID) -> String {
        var text = ""
        var count = 0
        for byte in id.utf8 {
            if count + 3 > nameMost {
                text += "~/"
                count = 0
            }
            let piece: String
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F: piece = String(UnicodeScalar(byte))
            // Never first in a name: `..` would lead out.
            case 0x2E where count > 0: piece = "."
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                piece = "%" + (digits.utf8.count == 1 ? "0" : "") + digits
            }
            text += piece
            count += piece.utf8.count
        }
        return text
    }
}

extension ConnectorID {
    /// 1 to 256 bytes without control characters.
    var isAllowedConnectorID: Bool {
        (1...256).contains(utf8.count)
            && !unicodeScalars.contains { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) }
    }
}
