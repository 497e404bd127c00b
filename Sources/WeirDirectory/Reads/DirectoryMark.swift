internal import WeirWorld

/// Until where a directory was read: what the next delta scan begins with.
///
/// - OpenLDAP: the highest `entryCSN` seen. Providers of a cluster write with clocks of their own, so a change may come
///   in under an older number: the next scan looks back by `overlap`.
/// - AD: the server's last change number before the scan. Each domain controller counts for itself, so the mark holds
///   on the server that gave it; on another one everything is read.
/// - Others: the highest `modifyTimestamp`, with the same overlap.
package enum DirectoryMark: Sendable, Equatable, CustomStringConvertible {
    case time(String)
    case change(UInt64, server: String)

    package static let overlap = Duration.seconds(120)

    package init?(_ text: String) {
        if text.hasPrefix("time:") {
            self = .time(String(text.dropFirst(5)))
            return
        }
        let parts = text.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "usn", let number = UInt64(parts[1]) else { return nil }
        self = .change(number, server: String(parts[2]))
    }

    package var description: String {
        switch self {
        case .time(let text): "time:\(text)"
        case .change(let number, let server): "usn:\(number):\(server)"
        }
    }

    /// Which attribute says when an entry changed.
    package static func attribute(of root: RootEntry) -> String {
        switch root.kind {
        case .openLDAP: "entryCSN"
        case .activeDirectory: "uSNChanged"
        case .generic: "modifyTimestamp"
        }
    }

    /// What changed since; nil when the mark says nothing to this server.
    package func filter(_ root: RootEntry) -> DirectoryFilter? {
        switch (self, root.kind) {
        case (.change(let number, let server), .activeDirectory):
            server == root.server ? .atLeast("uSNChanged", String(number + 1)) : nil
        case (.time(let text), .openLDAP):
            Self.before(text).map { .atLeast("entryCSN", $0 + ".000000Z#000000#000#000000") }
        case (.time(let text), .generic): Self.before(text).map { .atLeast("modifyTimestamp", $0 + "Z") }
        default: nil
        }
    }

    /// `20261122063211` less the overlap, from a CSN or a generalized time.
    private static func before(_ text: String) -> String? {
        let digits = Array(text.utf8.prefix(14))
        guard digits.count == 14, digits.allSatisfy({ $0 >= 48 && $0 <= 57 }) else { return nil }
        func number(_ range: Range<Int>) -> Int { digits[range].reduce(0) { $0 * 10 + Int($1) - 48 } }
        let time = CivilDate.wall(
            year: number(0..<4), month: number(4..<6), day: number(6..<8), hour: number(8..<10),
            minute: number(10..<12), second: number(12..<14))
        let date = CivilDate(time - overlap)
        let padded = CivilDate.padded
        return padded(date.year, 4) + padded(date.month, 2) + padded(date.day, 2) + padded(date.hour, 2)
            + padded(date.minute, 2) + padded(date.second, 2)
    }
}

extension WallTime {
    fileprivate static func - (time: WallTime, duration: Duration) -> WallTime {
        WallTime(nanoseconds: time.nanoseconds &- duration.nanoseconds)
    }
}
