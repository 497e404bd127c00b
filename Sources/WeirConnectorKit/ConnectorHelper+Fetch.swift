internal import AsyncHTTPClient
internal import Foundation
internal import NIOCore
internal import NIOHTTP1
internal import WeirGates
internal import WeirWorld

/// Why something could not be fetched.
public struct FetchFailure: Error, Sendable, Hashable, CustomStringConvertible {
    public let description: String
    /// Of the answer, where there was one.
    public let status: Int?
}

extension ConnectorHelper {
    /// Fetches what a connector imports.
    /// - Parameters:
    ///   - address: `http:`, `https:`, or `file:` and a path.
    ///   - headers: more of them, such as a key.
    ///   - most: bytes; more are refused.
    ///   - limit: how long it may take.
    /// - Throws: `FetchFailure`; the run has then failed, and is tried again.
    public func fetch(
        _ address: String, headers: [(name: String, value: String)] = [], most: Int = 256 << 20,
        limit: Duration = .seconds(120)
    ) async throws(FetchFailure) -> [UInt8] {
        if address.hasPrefix("file:") { return try ConnectorHelper.read(address, most: most) }
        var request = HTTPClientRequest(url: address)
        request.headers.add(name: "User-Agent", value: configuration.name)
        for header in headers { request.headers.replaceOrAdd(name: header.name, value: header.value) }
        let status: Int
        let body: ByteBuffer
        do {
            let response = try await Transport.client.execute(
                request, timeout: .nanoseconds(limit.nanoseconds), logger: nil)
            status = Int(response.status.code)
            body = try await response.body.collect(upTo: most)
        } catch {
            throw FetchFailure(description: "\(address.clipped(to: 200)) cannot be fetched: \(error)", status: nil)
        }
        guard status == 200 else {
            throw FetchFailure(description: "\(address.clipped(to: 200)) answers with \(status)", status: status)
        }
        return Array(body.readableBytesView)
    }

    private static func read(_ address: String, most: Int) throws(FetchFailure) -> [UInt8] {
        var path = String(address.dropFirst("file:".count))
        if path.hasPrefix("//") { path = path.dropFirst(2).removingPercentEncoding ?? path }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw FetchFailure(description: "\(path) cannot be read", status: nil)
        }
        guard data.count <= most else {
            throw FetchFailure(description: "\(path) has \(data.count) bytes, at most \(most) are taken", status: nil)
        }
        return [UInt8](data)
    }
}
