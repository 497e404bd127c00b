import NIOCore
import NIOHTTP1
import WeirGates
import WeirWires

/// The body of an answer on its way to text: unpacked, within limits, and in UTF-8. What is given comes out piece by
/// piece, so that a body that is a thousand times as large unpacked needs no more memory than another.
struct FeedText {
    static let charsets = "utf-8, windows-1252 (also as iso-8859-1 or latin1), utf-16, utf-16le, utf-16be"
    /// What we say that we can unpack.
    static let codings = ContentCoding.allCases.map(\.rawValue).joined(separator: ", ")

    private enum Stage { case pieces, lastPiece, end }

    private let decoder: CompressionDecoder?
    private var charset: CharsetDecoder
    private var given: ByteBuffer?
    private var stage = Stage.pieces

    private static let pieceBytes = 256 << 10

    /// - Parameters:
    ///   - headers: of the answer; empty for a file.
    ///   - charset: the setting; it goes before what the headers say.
    ///   - most: bytes that may come out.
    init(_ headers: HTTPHeaders, charset: String, most: ByteCount) throws(BundleMistake) {
        let coding = headers["Content-Encoding"].joined(separator: ",").filter { $0 != " " }.lowercased()
        if coding.isEmpty || coding == "identity" {
            decoder = nil
        } else {
            let name = coding.hasPrefix("x-") ? String(coding.dropFirst(2)) : coding
            guard let known = ContentCoding(rawValue: name) else {
                throw BundleMistake(
                    "unknown_encoding",
                    "The answer is packed as `\(coding.clipped)`, but we asked for \(Self.codings) at most.")
            }
            decoder = try Self.decoder(known, most)
        }
        let label =
            charset.isEmpty ? headers.first(name: "Content-Type").flatMap { Charset.label(inContentType: $0) } : charset
        let declared = label.flatMap { Charset(label: $0) }
        if let label, declared == nil { throw Self.unknown(label) }
        self.charset = CharsetDecoder(declared: declared)
    }

    private static func decoder(_ coding: ContentCoding, _ most: ByteCount) throws(BundleMistake) -> CompressionDecoder
    {
        do throws(CompressionFailure) {
            return try CompressionDecoder(coding, limits: .init(bytesMost: most.asInt))
        } catch { throw mistake(error) }
    }

    /// Takes what came; then all of it is taken out by `next`.
    mutating func give(_ piece: ByteBuffer) {
        if let decoder { decoder.give(piece) } else { given = piece }
    }

    /// Nothing more comes.
    mutating func end() { stage = .lastPiece }

    /// - Returns: the next part of the text; `nil` when there is none until more is given.
    mutating func next() throws(BundleMistake) -> ByteBuffer? {
        if let piece = try unpacked() {
            do throws(CharsetDecoder.Unknown) { return try charset.decode(piece) } catch {
                throw Self.unknown(error.label)
            }
        }
        guard case .lastPiece = stage else { return nil }
        stage = .end
        // An empty answer is no truncated one.
        if let decoder, decoder.bytesIn > 0 {
            do throws(CompressionFailure) { try decoder.finish() } catch { throw Self.mistake(error) }
        }
        do throws(CharsetDecoder.Unknown) { return try charset.finish() } catch { throw Self.unknown(error.label) }
    }

    private mutating func unpacked() throws(BundleMistake) -> ByteBuffer? {
        guard let decoder else {
            defer { given = nil }
            return given
        }
        guard decoder.hasMore else { return nil }
        var piece = ByteBuffer()
        do throws(CompressionFailure) { try decoder.take(into: &piece, most: Self.pieceBytes) } catch {
            throw Self.mistake(error)
        }
        return piece.readableBytes > 0 ? piece : nil
    }

    private static func mistake(_ failure: CompressionFailure) -> BundleMistake {
        switch failure {
        case .tooLarge(let limit):
            BundleMistake("too_large", "More than \(limit) bytes come out of the compressed answer (`size_most`).")
        case .tooDense(let ratio):
            BundleMistake(
                "compression_bomb",
                "More than \(ratio) bytes come out for each byte of the compressed answer: that is no honest feed.")
        case .corrupt, .truncated, .unavailable: BundleMistake("invalid_compression", "Of the answer, \(failure).")
        }
    }

    private static func unknown(_ label: String) -> BundleMistake {
        BundleMistake(
            "unknown_charset",
            "The answer says that it is in `\(label.clipped)`, which is not read. Set `charset` to one of \(charsets), "
                + "if it is one of those in truth.")
    }
}
