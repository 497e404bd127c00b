internal import AsyncHTTPClient
internal import Foundation
internal import JWTKit
internal import Logging
import Synchronization
internal import WeirGates
internal import WeirWorld

/// The keys that an identity provider publishes (JWKS), by their names.
///
/// They are read anew after `refresh`, and at once for a key that is not among them: that is how a provider exchanges
/// its keys. Tokens of unknown keys cost one reading in `pause`, however many come. Whoever comes while keys are read
/// waits for what comes of it. While the provider does not answer, keys that it has published before are good.
final class PublishedKeys: Sendable {
    /// 5 min.
    static let refresh = Duration.seconds(300)
    /// Between two readings for keys that are unknown, and after one that failed; 10 s.
    static let pause = Duration.seconds(10)

    private struct State {
        var keys: [String: JWK] = [:]
        /// The last reading that went well.
        var read: Moment?
        /// The last reading for a key that was not there.
        var hurried: Moment?
        var failed: (at: Moment, failure: TunnelFailure)?
        /// Who waits for the reading that is under way; `nil`: there is none.
        var waiting: [CheckedContinuation<Bool, Never>]?

        /// Should the keys be read anew for this one?
        mutating func wantsReading(for id: String, at now: Moment) -> Bool {
            if let failed, now - failed.at < pause { return false }
            guard let read, now - read < refresh else { return true }
            guard keys[id] == nil else { return false }
            // Whoever comes while they are read waits for it, and is no further hurry.
            if waiting != nil { return true }
            if let hurried, now - hurried < pause { return false }
            hurried = now
            return true
        }
    }

    private let place: String
    private let http: HTTPClient
    private let world: World
    private let state = Mutex(State())

    /// - Parameter place: `https://…` or a file.
    init(at place: String, http: HTTPClient, world: World) {
        self.place = place
        self.http = http
        self.world = world
    }

    /// - Throws: `token_key` when no key of this name is published, `token_keys` when the keys cannot be read.
    func key(_ id: String) async throws(TunnelFailure) -> JWK {
        // Looked up and joined under one lock: between the two nobody may come back.
        let isMine = await withCheckedContinuation { (done: CheckedContinuation<Bool, Never>) in
            let isMine = state.withLock { state -> Bool? in
                guard state.wantsReading(for: id, at: world.time.now) else { return false }
                guard state.waiting == nil else {
                    state.waiting?.append(done)
                    return nil
                }
                state.waiting = []
                return true
            }
            if let isMine { done.resume(returning: isMine) }
        }
        if isMine { await read() }
        let (key, failure) = state.withLock { ($0.keys[id], $0.failed?.failure) }
        guard let key else {
            throw failure
                ?? TunnelFailure(
                    "token_key", "The bearer token is signed with the key `\(id.prefix(64))`, which is not published.")
        }
        return key
    }

    private func read() async {
        let result: Result<[String: JWK], TunnelFailure>
        do {
            result = .success(try Self.keys(in: try await bytes()))
        } catch {
            let why = (error as? WholeAnswer.Trouble)?.sentence ?? "\(place) holds no key set: \(error)."
            result = .failure(TunnelFailure("token_keys", "The hub cannot read the keys of bearer tokens. \(why)"))
        }
        let now = world.time.now
        let waiting = state.withLock { state in
            switch result {
            case .success(let keys): (state.keys, state.read, state.failed) = (keys, now, nil)
            case .failure(let failure): state.failed = (now, failure)
            }
            defer { state.waiting = nil }
            return state.waiting ?? []
        }
        if case .failure(let failure) = result {
            world.log.warning("\(failure.message)", metadata: ["retry.after": "\(Self.pause.shortText)"])
        }
        for waiter in waiting { waiter.resume(returning: false) }
    }

    private func bytes() async throws -> Data {
        guard place.hasPrefix("http") else {
            let lane = world.blocking.lane("tunnel-keys")
            defer { lane.close() }
            return try await lane.run { [place] in try Data(contentsOf: URL(fileURLWithPath: place)) }
        }
        let request = HTTPClientRequest(url: place)
        return Data(try await WholeAnswer.to(request, by: http, most: 1 << 20, within: .seconds(5), world.time))
    }

    private static func keys(in bytes: Data) throws -> [String: JWK] {
        struct Published: Decodable {
            var keys: [Entry]
        }
        // One key of a kind that is not known here does not spoil the others.
        struct Entry: Decodable {
            var key: JWK?
            init(from decoder: any Decoder) { key = try? JWK(from: decoder) }
        }
        let published = try JSONDecoder().decode(Published.self, from: bytes)
        var keys: [String: JWK] = [:]
        for case var key? in published.keys.map(\.key) {
            let id = key.keyIdentifier ?? JWKIdentifier(string: "")
            key.keyIdentifier = id
            keys[id.string] = key
        }
        return keys
    }
}
