import WeirSettings
import WeirWires
import WeirWorld

/// Names of output files: `events-20261121T130321.250Z-9f3a1c2b.ndjson.gz`. Time of opening in UTC to the
/// millisecond, so that names sort as the files were written; 32 random bits.
struct FileNaming: Sendable {
    var base: String
    var ending: String

    init(base: String, format: LineFormat, extension own: String, compression: FileCompression) {
        self.base = base
        let format = own.isEmpty ? (format == .ndjson ? "ndjson" : "log") : own
        ending = "." + format + compression.ending
    }

    func name(at wall: WallTime, random: UInt64) -> String {
        let date = CivilDate(wall)
        let day = date.dateText.filter { $0 != "-" }
        let clock = date.clockText.filter { $0 != ":" }
        let digits = String(random & 0xFFFF_FFFF, radix: 16)
        let fraction = CivilDate.padded(date.nanosecond / 1_000_000, 3)
        return "\(base)-\(day)T\(clock).\(fraction)Z-" + String(repeating: "0", count: 8 - digits.count) + digits
            + ending
    }

    /// What may stand in a part of a file name.
    static let isPart: @Sendable (String) -> String? = { text in
        let isSafe = text.utf8.allSatisfy {
            ($0 >= 0x30 && $0 <= 0x39) || ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A) || "-_.".utf8.contains($0)
        }
        return isSafe && !text.hasPrefix(".") && text.utf8.count <= 64
            ? nil : "must be at most 64 letters, digits and -_. and not begin with a dot"
    }
}

package enum FileCompression: String, SettingChoice, Sendable {
    case none, gzip, zstd

    package var help: String {
        switch self {
        case .none: "Plain text."
        case .gzip: "Each batch is a gzip member of its own, so that a file is whole after every batch; `.gz`."
        case .zstd: "Each batch is a zstd frame of its own; `.zst`."
        }
    }

    var ending: String {
        switch self {
        case .none: ""
        case .gzip: ".gz"
        case .zstd: ".zst"
        }
    }

    var coding: ContentCoding? {
        switch self {
        case .none: nil
        case .gzip: .gzip
        case .zstd: .zstd
        }
    }
}
