import Foundation

/// A directory of a test, removed at its end.
final class Scratch {
    let path: String

    init(_ name: String = "weir") throws {
        path = FileManager.default.temporaryDirectory.path + "/\(name)-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Files below a directory, as paths from it, sorted; without what is staged.
    func files(_ directory: String = "out", hidden: Bool = false) -> [String] {
        let all = FileManager.default.enumerator(atPath: path + "/" + directory)?.allObjects as? [String] ?? []
        return all.filter { name in
            var isDirectory: ObjCBool = false
            _ = FileManager.default.fileExists(atPath: "\(path)/\(directory)/\(name)", isDirectory: &isDirectory)
            return !isDirectory.boolValue && (hidden || !name.hasPrefix("."))
        }.sorted()
    }

    func content(_ file: String) -> Data { (try? Data(contentsOf: URL(fileURLWithPath: path + "/" + file))) ?? Data() }

    func text(_ file: String) -> String { String(decoding: content(file), as: UTF8.self) }

    /// The text of all files below `out`, one after the other.
    var output: String { files().map { text("out/" + $0) }.joined() }
}

/// Runs a program and hands out its exit status; output is dropped.
func run(_ program: String, _ arguments: String..., in directory: String? = nil) throws -> Int32 {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [program] + arguments
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus
}
