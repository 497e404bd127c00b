import Foundation
import Glibc
import NIOCore
import Synchronization
import Testing
import WeirDestinations
import WeirFlow
import WeirSettings
import WeirTestKit

/// Every destination that talks to a receiver, by name, against the contract. (`drop` has nothing to receive with.)
@Suite(.serialized, .timeLimit(.minutes(5))) struct DestinationContractTests {
    typealias Clause = DestinationContract.Clause

    static func check(
        _ clause: Clause, isExact: Bool = true,
        _ stand: @escaping @Sendable () async throws -> any DestinationContract.Stand
    ) async throws {
        try await DestinationContract(world: Bench.world, isExact: isExact, stand: stand).check(clause)
    }

    @Test("tcp keeps the contract", arguments: Clause.allCases)
    func tcp(clause: Clause) async throws {
        try await Self.check(clause) {
            try await StreamStand { address in
                var settings = TCPDestination.Settings()
                settings.address = address
                return settings
            } read: {
                $0.split(separator: "\n").map(String.init)
            }
        }
    }

    @Test("syslog over tcp keeps the contract", arguments: Clause.allCases)
    func syslog(clause: Clause) async throws {
        try await Self.check(clause) {
            try await StreamStand { address in
                var settings = SyslogDestination.Settings()
                settings.address = address
                return settings
            } read: { text in
                text.split(separator: "\n").map { line in
                    line.range(of: " - - - ").map { String(line[$0.upperBound...]) } ?? "?"
                }
            }
        }
    }

    @Test("http keeps the contract", arguments: Clause.allCases)
    func http(clause: Clause) async throws {
        try await Self.check(clause) {
            try await HTTPStand { url in
                var settings = HTTPDestination.Settings()
                settings.url = url
                return settings
            } read: {
                $0.split(separator: "\n").map(String.init)
            }
        }
    }

    @Test("splunk_hec keeps the contract", arguments: Clause.allCases)
    func splunk(clause: Clause) async throws {
        try await Self.check(clause) {
            try await HTTPStand(answer: "{\"text\":\"Success\",\"code\":0}") { url in
                var settings = SplunkHECDestination.Settings()
                settings.url = url
                settings.token = Secret("x")
                settings.compress = .none
                return settings
            } read: { body in
                body.split(separator: "\n").map { line in
                    line.range(of: "\"event\":").map { String(line[$0.upperBound...].dropLast()) } ?? "?"
                }
            }
        }
    }

    @Test("elasticsearch keeps the contract", arguments: Clause.allCases)
    func elasticsearch(clause: Clause) async throws {
        try await Self.check(clause) {
            try await HTTPStand(answer: "{\"errors\":false}") { url in
                var settings = ElasticsearchDestination.Settings()
                settings.url = url
                settings.index = "x"
                return settings
            } read: {
                $0.split(separator: "\n").enumerated().filter { $0.offset % 2 == 1 }.map { String($0.element) }
            }
        }
    }

    @Test("filesystem keeps the contract", arguments: Clause.allCases)
    func filesystem(clause: Clause) async throws { try await Self.check(clause) { try FileStand() } }

    @Test("udp keeps the contract", arguments: Clause.allCases)
    func udp(clause: Clause) async throws { try await Self.check(clause, isExact: false) { try await DatagramStand() } }

    @Test("stdout keeps the contract", arguments: Clause.allCases)
    func stdout(clause: Clause) async throws { try await Self.check(clause) { try PipeStand() } }

    @Test("Every type of the catalogue that talks to a receiver is named here")
    func complete() throws {
        let here: [any DestinationSettings.Type] = [
            TCPDestination.Settings.self, SyslogDestination.Settings.self, HTTPDestination.Settings.self,
            SplunkHECDestination.Settings.self, ElasticsearchDestination.Settings.self,
            FilesystemDestination.Settings.self, UDPDestination.Settings.self, StdoutDestination.Settings.self,
            // Nothing to receive with: `drop` keeps nothing, the composed ones own others.
            DropDestination.Settings.self, RouterDestination.Settings.self, BalanceDestination.Settings.self,
            FallbackDestination.Settings.self,
        ]
        #expect(DestinationCatalog.kinds.map(\.name).sorted() == here.map { $0.type }.sorted())
    }
}

private func shape(_ settings: any DestinationSettings) -> DeliveryShape {
    Bench.planned(settings).plan?.shape ?? DeliveryShape()
}

private final class StreamStand: DestinationContract.Stand {
    private let receiver: Mutex<StreamReceiver>
    private let settings: any DestinationSettings
    private let read: @Sendable (String) -> [String]
    private let before = Mutex("")

    init(_ settings: (String) -> any DestinationSettings, read: @escaping @Sendable (String) -> [String]) async throws {
        let first = try await StreamReceiver.start()
        receiver = Mutex(first)
        self.settings = settings(first.address)
        self.read = read
    }

    private var current: StreamReceiver { receiver.withLock { $0 } }
    var shape: DeliveryShape { WeirDestinationsTests.shape(settings) }
    func makeDestination() async throws -> any Destination { try Bench.endpoint(settings) }
    func received() async throws -> [String] { read(before.withLock { $0 } + current.text) }

    func goAway() async throws -> Bool {
        await current.stop()
        before.withLock { $0 += current.text }
        return true
    }

    func comeBack() async throws {
        let fresh = try await StreamReceiver.start(port: current.port)
        receiver.withLock { $0 = fresh }
    }

    func fallSilent() async throws -> Bool {
        current.fallSilent()
        return true
    }

    func tearDown() async { await current.stop() }
}

private final class HTTPStand: DestinationContract.Stand {
    private let receiver: Mutex<HTTPReceiver>
    private let settings: any DestinationSettings
    private let read: @Sendable (String) -> [String]
    private let answer: String
    private let port: Int
    private let isSilent: SilentFlag
    private let before = Mutex<[String]>([])

    init(
        answer: String = "", _ settings: (String) -> any DestinationSettings,
        read: @escaping @Sendable (String) -> [String]
    ) async throws {
        let flag = SilentFlag()
        let first = try await HTTPReceiver.start { _ in flag.isSet ? .silent : .status(200, body: answer) }
        isSilent = flag
        receiver = Mutex(first)
        port = first.port
        self.answer = answer
        self.settings = settings("http://127.0.0.1:\(first.port)")
        self.read = read
    }

    private var current: HTTPReceiver { receiver.withLock { $0 } }
    var shape: DeliveryShape { WeirDestinationsTests.shape(settings) }
    func makeDestination() async throws -> any Destination { try Bench.endpoint(settings) }

    private func events(_ receiver: HTTPReceiver) -> [String] {
        receiver.requests.flatMap { read(String(buffer: $0.body)) }
    }

    func received() async throws -> [String] { before.withLock { $0 } + events(current) }

    func goAway() async throws -> Bool {
        await current.stop()
        let seen = events(current)
        before.withLock { $0 += seen }
        return true
    }

    func comeBack() async throws {
        let answer = answer
        let fresh = try await HTTPReceiver.start(port: port) { _ in .status(200, body: answer) }
        receiver.withLock { $0 = fresh }
    }

    func fallSilent() async throws -> Bool {
        isSilent.set()
        return true
    }

    func tearDown() async { await current.stop() }
}

private final class SilentFlag: Sendable {
    private let state = Mutex(false)
    var isSet: Bool { state.withLock { $0 } }
    func set() { state.withLock { $0 = true } }
}

private final class FileStand: DestinationContract.Stand {
    private let path: String
    private let settings: FilesystemDestination.Settings

    init() throws {
        path = FileManager.default.temporaryDirectory.path + "/weir-contract-\(UUID().uuidString)"
        var settings = FilesystemDestination.Settings()
        settings.path = path
        self.settings = settings
    }

    var shape: DeliveryShape { WeirDestinationsTests.shape(settings) }
    func makeDestination() async throws -> any Destination { try Bench.endpoint(settings) }

    // Also what is still staged: it is safe there. The names begin with the time and end at random, so the order is by
    // age of the file.
    func received() async throws -> [String] {
        let names = (FileManager.default.enumerator(atPath: path)?.allObjects as? [String] ?? []).filter {
            $0.hasSuffix(".log")
        }
        let aged = names.map { name in
            let status = try? FileManager.default.attributesOfItem(atPath: path + "/" + name)
            return (status?[.modificationDate] as? Date ?? .distantPast, name)
        }.sorted { $0.0 < $1.0 }
        return aged.flatMap { _, name in
            String(decoding: FileManager.default.contents(atPath: path + "/" + name) ?? Data(), as: UTF8.self).split(
                separator: "\n"
            ).map(String.init)
        }
    }

    // Gone directories, full and read-only disks have tests of their own: they need mounts.
    func goAway() async throws -> Bool { false }
    func comeBack() async throws {}
    func fallSilent() async throws -> Bool { false }
    func tearDown() async { try? FileManager.default.removeItem(atPath: path) }
}

private final class DatagramStand: DestinationContract.Stand {
    private let receiver: DatagramReceiver
    private let settings: UDPDestination.Settings

    init() async throws {
        receiver = try await DatagramReceiver.start()
        var settings = UDPDestination.Settings()
        settings.address = receiver.address
        self.settings = settings
    }

    var shape: DeliveryShape { WeirDestinationsTests.shape(settings) }
    func makeDestination() async throws -> any Destination { try Bench.endpoint(settings) }
    func received() async throws -> [String] { receiver.received }
    func goAway() async throws -> Bool { false }
    func comeBack() async throws {}
    func fallSilent() async throws -> Bool { false }
    func tearDown() async { await receiver.stop() }
}

private final class PipeStand: DestinationContract.Stand {
    private let ends: (read: Int32, write: Int32)

    init() throws {
        var pair: [Int32] = [0, 0]
        guard pipe(&pair) == 0 else { throw DestinationContractTests.NoPipe() }
        ends = (pair[0], pair[1])
        let (descriptor, bytes) = (pair[0], Kept())
        let reader = Thread {
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while true {
                let count = read(descriptor, &buffer, buffer.count)
                if count <= 0 { return }
                bytes.add(buffer[..<count])
            }
        }
        kept = bytes
        reader.start()
    }

    private let kept: Kept
    var shape: DeliveryShape { WeirDestinationsTests.shape(StdoutDestination.Settings()) }
    func makeDestination() async throws -> any Destination {
        StdoutDestination(format: .lines, world: Bench.world, descriptor: ends.write)
    }
    func received() async throws -> [String] { kept.text.split(separator: "\n").map(String.init) }
    func goAway() async throws -> Bool { false }
    func comeBack() async throws {}
    func fallSilent() async throws -> Bool { false }
    func tearDown() async { close(ends.write) }

    final class Kept: Sendable {
        private let bytes = Mutex(ByteBuffer())
        var text: String { bytes.withLock { String(buffer: $0) } }
        func add(_ part: ArraySlice<UInt8>) { bytes.withLock { _ = $0.writeBytes(part) } }
    }
}

extension DestinationContractTests {
    struct NoPipe: Error {}
}
