package import WeirWorld

/// The lines that the demo sends: this machine's own package log where there is one, and the project's example events.
package struct DemoLines: Sendable {
    /// As RFC 5424 messages.
    package var lines: [String]
    /// Where they come from, for people: `/var/log/dpkg.log, 6,613 lines`.
    package var origins: [String]

    /// Most lines taken from one file: enough variety, little memory.
    private static let linesMost = 20_000

    /// Reads the files that are there; what cannot be read is left out.
    package init(paths: [String], files: any FileSystem) {
        var lines: [String] = []
        var origins: [String] = []
        for path in paths {
            let found = DemoLines.read(path, files).prefix(DemoLines.linesMost)
            guard !found.isEmpty else { continue }
            origins.append("\(path), \(found.count) lines")
            let program = path.split(separator: "/").last?.split(separator: ".").first.map(String.init) ?? "demo"
            lines += found.enumerated().map { index, line in
                // Severities in turn, so that the demo's routes have something to choose by.
                let severity = index % 10 == 0 ? 3 : 6
                return "<\(8 + severity)>1 - localhost \(program) - - - \(line)"
            }
        }
        self.lines = lines
        self.origins = origins
    }

    private static func read(_ path: String, _ files: any FileSystem) -> [Substring] {
        guard let status = try? files.status(path), status.kind == .file, status.length > 0,
            let file = try? files.open(path, .read)
        else { return [] }
        defer { file.close() }
        let size = Int(min(status.length, 4 << 20))
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            count = (try? file.read(into: UnsafeMutableRawBufferPointer(buffer), at: 0)) ?? 0
        }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").filter { !$0.isEmpty }
    }
}

extension DemoLines {
    /// For a machine that has none of the files.
    package static let own = DemoLines(
        lines: (1...500).map { "<\($0 % 10 == 0 ? 11 : 14)>1 - localhost weir-demo - - - demo event \($0)" },
        origins: ["500 lines of Weir's own"])

    private init(lines: [String], origins: [String]) {
        self.lines = lines
        self.origins = origins
    }
}
