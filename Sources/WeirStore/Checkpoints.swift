import Logging
import NIOCore
import Synchronization
package import WeirWorld

/// A tiny durable dictionary: how far a source has read. Small enough to be rewritten whole (some thousand keys).
///
/// Changes are gathered for a moment and written together. Losing the last moment means reading a little again:
/// duplicates, never a gap, as long as a value is set only after what it stands for was taken over downstream.
///
/// File: magic "weirmark" · version u16 · zero u16 · pairs u32 · for each: key length u16, key, value length u32,
/// value · crc32c of all before it.
package final class Checkpoints: Sendable {
    private struct State {
        var values: [String: String]
        var isDirty = false
        var isClosed = false
        /// Sleeps until the next write; owned here, cancelled by `close`.
        var timer: Task<Void, Never>?
    }

    /// True when the file was there and could not be read: everything starts from the beginning, and the file was kept
    /// as `….damaged`.
    package let wasDamaged: Bool
    private let state: Mutex<State>
    private let file: AtomicFile
    private let world: World
    private let lane: any BlockingLane
    private let delay: Duration

    private init(
        file: AtomicFile, values: [String: String], wasDamaged: Bool, world: World, lane: any BlockingLane,
        delay: Duration
    ) {
        self.file = file
        self.world = world
        self.lane = lane
        self.delay = delay
        self.wasDamaged = wasDamaged
        state = Mutex(State(values: values))
    }

    /// Opens the file at `path`, whose directory is made when missing.
    /// - Parameter delay: how long changes are gathered; 500 ms.
    package static func open(
        path: String, world: World, delay: Duration = .milliseconds(500)
    ) async throws(StoreFailure) -> Checkpoints {
        let lane = world.blocking.lane("checkpoints")
        let file = AtomicFile(path: path, files: world.files)
        let result: Result<([String: String], Bool), StoreFailure> = await lane.answer {
            Result { () throws(StoreFailure) in
                if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
                    try QueueDirectory(path: String(path[..<slash]), files: world.files).prepare()
                }
                guard let bytes = try file.read() else { return ([:], false) }
                if let values = decode(bytes) { return (values, false) }
                try attempt { () throws(FileFailure) in try world.files.rename(path, to: path + ".damaged") }
                return ([:], true)
            }
        }
        switch result {
        case .success(let (values, wasDamaged)):
            return Checkpoints(
                file: file, values: values, wasDamaged: wasDamaged, world: world, lane: lane, delay: delay)
        case .failure(let failure):
            lane.close()
            throw failure
        }
    }

    package func value(for key: String) -> String? { state.withLock { $0.values[key] } }

    package var keys: [String] { state.withLock { $0.values.keys.sorted() } }

    /// Sets a value, or removes it with `nil`; written within the delay. Keys of up to 65,535 bytes.
    package func set(_ value: String?, for key: String) {
        guard key.utf8.count <= Int(UInt16.max) else { return }
        let time = world.time
        state.withLock { state in
            guard state.values[key] != value else { return }
            state.values[key] = value
            state.isDirty = true
            guard state.timer == nil, !state.isClosed else { return }
            // A bare task: kept in the state, cancelled by `close`.
            state.timer = Task { [self] in
                try? await time.sleep(for: delay)
                lane.enqueue { [self] in writeLater() }
            }
        }
    }

    /// Writes now what was changed.
    package func flush() async throws(StoreFailure) {
        let result: Result<Void, StoreFailure> = await lane.answer { [self] in
            Result { () throws(StoreFailure) in try write() }
        }
        try result.get()
    }

    /// Writes what was changed and ends.
    package func close() async {
        let timer = state.withLock { state in
            state.isClosed = true
            defer { state.timer = nil }
            return state.timer
        }
        timer?.cancel()
        await lane.answer { [self] in writeLater() }
    }

    // Not in `close`: a job given to a closed lane is never answered.
    deinit { lane.close() }

    private func writeLater() {
        state.withLock { $0.timer = nil }
        do throws(StoreFailure) {
            try write()
        } catch {
            // Still dirty: the next change, flush or close tries again.
            world.log.warning("checkpoints were not written", metadata: ["error.kind": "\(error.code)"])
        }
    }

    private func write() throws(StoreFailure) {
        let values = state.withLock { state -> [String: String]? in
            defer { state.isDirty = false }
            return state.isDirty ? state.values : nil
        }
        guard let values else { return }
        do throws(StoreFailure) {
            try file.write(Checkpoints.encode(values))
        } catch {
            state.withLock { $0.isDirty = true }
            throw error
        }
    }

    static func encode(_ values: [String: String]) -> [UInt8] {
        var bytes = ByteWriter()
        bytes.text("weirmark")
        bytes.number(1 as UInt16)
        bytes.number(0 as UInt16)
        bytes.number(UInt32(values.count))
        for (key, value) in values.sorted(by: { $0.key < $1.key }) {
            bytes.number(UInt16(key.utf8.count))
            bytes.text(key)
            bytes.number(UInt32(value.utf8.count))
            bytes.text(value)
        }
        bytes.number(SegmentFormat.checksum(bytes.bytes))
        return bytes.bytes
    }

    static func decode(_ bytes: ByteBuffer) -> [String: String]? {
        var bytes = bytes
        let length = bytes.readableBytes
        guard length >= 20,
            let sum = bytes.getInteger(at: bytes.readerIndex + length - 4, endianness: .little, as: UInt32.self),
            let body = bytes.readSlice(length: length - 4), SegmentFormat.checksum(body.readableBytesView) == sum
        else { return nil }
        var rest = body
        guard rest.readString(length: 8) == "weirmark",
            rest.readInteger(endianness: .little, as: UInt32.self) == 1,
            let count = rest.readInteger(endianness: .little, as: UInt32.self)
        else { return nil }
        var values: [String: String] = [:]
        for _ in 0..<count {
            guard let keyLength = rest.readInteger(endianness: .little, as: UInt16.self),
                let key = rest.readString(length: Int(keyLength)),
                let valueLength = rest.readInteger(endianness: .little, as: UInt32.self),
                let value = rest.readString(length: Int(valueLength))
            else { return nil }
            values[key] = value
        }
        return values
    }
}
