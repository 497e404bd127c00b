import WeirWorld

/// What the operating system says of this process, from `/proc/self`; what cannot be read is left out.
struct ProcessReading: Sendable, Hashable {
    var cpuSeconds: Double?
    var residentBytes: Int64?
    var virtualBytes: Int64?
    var startSeconds: Double?
    var openFiles: Int64?
    var maxFiles: Int64?

    init() {}

    /// Blocking, but /proc is memory: microseconds.
    init(_ files: any FileSystem) {
        if let stat = Self.text("/proc/self/stat", files), let system = Self.text("/proc/stat", files) {
            take(stat: stat, system: system)
        }
        openFiles = (try? files.list("/proc/self/fd")).map { Int64($0.count) }
        if let limits = Self.text("/proc/self/limits", files) { take(limits: limits) }
    }

    // proc(5). The second field is the name in parentheses, which may hold spaces and parentheses: fields are counted
    // after the last.
    mutating func take(stat: String, system: String) {
        guard let end = stat.lastIndex(of: ")") else { return }
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        guard fields.count > 21 else { return }
        let ticks = 100.0
        if let user = Double(fields[11]), let kernel = Double(fields[12]) { cpuSeconds = (user + kernel) / ticks }
        virtualBytes = Int64(fields[20])
        residentBytes = Int64(fields[21]).map { $0.multipliedReportingOverflow(by: 4_096).partialValue }
        let boot = system.split(separator: "\n").first { $0.hasPrefix("btime ") }.flatMap { Double($0.dropFirst(6)) }
        if let boot, let start = Double(fields[19]) { startSeconds = boot + start / ticks }
    }

    mutating func take(limits: String) {
        let line = limits.split(separator: "\n").first { $0.hasPrefix("Max open files") }
        maxFiles = line.flatMap { $0.split(separator: " ").dropFirst(3).first }.flatMap { Int64($0) }
    }

    private static func text(_ path: String, _ files: any FileSystem) -> String? {
        guard let handle = try? files.open(path, .read) else { return nil }
        defer { handle.close() }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 1)
        defer { buffer.deallocate() }
        guard let count = try? handle.read(into: buffer, at: 0) else { return nil }
        return String(decoding: UnsafeRawBufferPointer(rebasing: buffer[..<count]), as: UTF8.self)
    }
}
