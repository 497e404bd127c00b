package import WeirWorld

/// A file that is read from its beginning to its end, or not at all: one that changed meanwhile is not what anybody
/// wrote.
package struct WholeFile: Sendable {
    let path: String
    /// In bytes; larger ones are refused.
    let most: Int64
    let files: any FileSystem

    package init(path: String, most: Int64, files: any FileSystem) {
        self.path = path
        self.most = most
        self.files = files
    }

    /// - Throws: `no_such_file` where nothing is there, and what the system says.
    package func status() throws(ScanFailure) -> FileStatus {
        let status: FileStatus?
        do { status = try files.status(path) } catch {
            throw ScanFailure(code: error.kind.rawValue, text: "\(error)", isPassing: true)
        }
        guard let status else {
            throw ScanFailure(code: "no_such_file", text: "\(path) is not there", isPassing: true)
        }
        return status
    }

    /// Blocks: call it on a lane.
    /// - Throws: `torn` where the file changed while it was read, `too_large`, `no_such_file`, what the system says.
    package func read() throws(ScanFailure) -> (bytes: [UInt8], status: FileStatus) {
        let before = try status()
        guard before.kind == .file else {
            throw ScanFailure(code: "no_such_file", text: "\(path) is no file", isPassing: false)
        }
        guard before.length <= most else {
            throw ScanFailure(
                code: "too_large", text: "\(path) has \(before.length) bytes; \(most) at most", isPassing: false)
        }
        let bytes: [UInt8]
        do { bytes = try contents(before.length) } catch {
            throw ScanFailure(code: error.kind.rawValue, text: "\(error)", isPassing: true)
        }
        guard bytes.count == before.length, try status() == before else {
            throw ScanFailure(
                code: "torn", text: "\(path) changed while it was read: it is read again later", isPassing: true)
        }
        return (bytes, before)
    }

    private func contents(_ length: Int64) throws(FileFailure) -> [UInt8] {
        let file = try files.open(path, .read)
        defer { file.close() }
        var bytes = [UInt8](repeating: 0, count: Int(length))
        var count = 0
        while count < bytes.count {
            // A closure over rethrowing pointers loses the error's type; a result keeps it.
            let got = bytes.withUnsafeMutableBytes { room -> Result<Int, FileFailure> in
                let rest = UnsafeMutableRawBufferPointer(rebasing: room[count...])
                do throws(FileFailure) { return .success(try file.read(into: rest, at: Int64(count))) } catch {
                    return .failure(error)
                }
            }
            let more = try got.get()
            if more == 0 { break }
            count += more
        }
        bytes.removeLast(bytes.count - count)
        return bytes
    }
}
