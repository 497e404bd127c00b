import NIOCore
import NIOHTTP1
import WeirGates
import WeirWorld

/// A file as a feed, for trials: `url: file:…`.
struct FeedFile {
    private static let pieceBytes = 256 << 10

    let path: String
    let world: World

    /// Reads the file, unless it is the one that `known` tells of.
    /// - Parameter take: gets its pieces.
    /// - Returns: what tells this file from another or a later one; `nil` when it has not changed.
    func read(
        unless known: String?, most: ByteCount, _ take: (ByteBuffer) async throws -> Void
    ) async throws -> String? {
        let files = world.files
        let path = path
        let lane = world.blocking.lane("file-connector")
        defer { lane.close() }
        do {
            let opened = try await lane.run { () throws(FileFailure) -> (any FileHandle, String, Int64)? in
                guard let status = try files.status(path), status.kind == .file else { return nil }
                return (try files.open(path, .read), "\(status.length) \(status.modified.nanoseconds)", status.length)
            }
            guard let (file, mark, length) = opened else {
                let place = path.hasPrefix("/") ? "" : " in Weir's working directory"
                throw RunFailure("not_found", "There is no file `\(path.clipped)`\(place) (`url`).")
            }
            defer { lane.enqueue { file.close() } }
            if mark == known { return nil }
            guard length <= most.bytes else {
                throw RunFailure(
                    "too_large", "The file `\(path.clipped)` is larger than \(most.shortText) (`size_most`).")
            }
            var offset: Int64 = 0
            while true {
                try Task.checkCancellation()
                let from = offset
                let piece = try await lane.run { () throws(FileFailure) -> ByteBuffer in
                    var buffer = ByteBuffer()
                    var failure: FileFailure?
                    buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.pieceBytes) { room in
                        do throws(FileFailure) { return try file.read(into: room, at: from) } catch {
                            failure = error
                            return 0
                        }
                    }
                    if let failure { throw failure }
                    return buffer
                }
                if piece.readableBytes == 0 { return mark }
                offset += Int64(piece.readableBytes)
                try await take(piece)
            }
        } catch let failure as FileFailure {
            throw RunFailure(failure.kind.rawValue, "The file `\(path.clipped)` cannot be read: \(failure).")
        }
    }
}
