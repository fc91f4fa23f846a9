"""Writes reference.json: texts and their token ids, made by tiktoken.

    pip install tiktoken==0.14.0
    python3 reference.py FOLDER > reference.json

FOLDER holds o200k_base.tiktoken and cl100k_base.tiktoken: the folder assets of the Go module
github.com/pkoukk/tiktoken-go-loader v0.0.2. Nothing is downloaded.

tiktoken encodes text, not bytes. For the random bytes each byte that is not UTF-8 becomes a lone surrogate, which the
patterns take for a symbol; the module regex cuts the pieces, and tiktoken merges the bytes of each.
"""

import json
import random
import sys
import unittest.mock

import regex
import tiktoken
from tiktoken.load import load_tiktoken_bpe
from tiktoken_ext import openai_public

LANGUAGES = {
    "english": "The lighthouse keeper's daughter hadn't slept; she'd counted 1,204 waves before dawn, and they'll keep coming. \"Why?\" asked the boy who'd never seen the sea.",
    "german": "Die Straßenbahn fährt über die alte Brücke, obwohl das Betreten größerer Flächen während der Überschwemmung verboten ist. Möchten Sie Grünkohlsuppe für 7,50 €?",
    "french": "L'été dernier, nous avons mangé des crêpes près de la forêt; c'était délicieux, n'est-ce pas? Voilà déjà l'hôtel où Zoë a vécu cinq années.",
    "spanish": "¿Dónde está el niño que corrió detrás del pingüino? ¡Mañana volverá, según dijo la señora Núñez! El camión llegó a las 18:45.",
    "portuguese": "A irmã do João não conseguiu chegar à estação, porém trouxe pão, maçãs e três garrafas de água para as crianças.",
    "italian": "Perché la città è così silenziosa? C'è già un po' di nebbia, e l'orologio del campanile s'è fermato alle undici meno un quarto.",
    "dutch": "De vrachtwagen reed 's avonds langzaam door de geëvacueerde wijk; zo'n stilte had ik nog nooit meegemaakt, zei Anneliesje.",
    "polish": "Zażółć gęślą jaźń, powiedział nauczyciel; źdźbło trawy drżało, gdy świeży wiatr wiał znad łąki. Dziękuję, że przyszłaś o 9:30.",
    "czech": "Příliš žluťoučký kůň úpěl ďábelské ódy. Děti běžely přes náměstí, aby stihly vlak směřující do Českých Budějovic.",
    "turkish": "İstanbul'da ılık bir akşamüstü, çocuklar İğneada'dan gelen gemiyi görünce şaşkınlıkla bağırdılar. Işık söndü, kimse konuşmadı.",
    "finnish": "Hyppääjän pöytäliina lensi järven yli; äiti nauroi, sillä yötön yö oli vasta alkamassa. Lentokonesuihkuturbiiniapumekaanikko nukkui.",
    "hungarian": "Árvíztűrő tükörfúrógép. A kőműves öccse hűvös őszi reggelen szőlőt szüretelt, és megkérdezte, mennyibe kerül egy üveg bor.",
    "vietnamese": "Tôi không biết tại sao con đường này lại vắng vẻ đến thế; những người bán hàng đã nghỉ Tết từ hôm trước, chỉ còn lại mấy chú mèo.",
    "swahili": "Mvuvi alirudi nyumbani jioni akiwa amechoka, lakini watoto walimkimbilia wakicheka. Je, umeleta samaki wangapi leo?",
    "russian": "Старый маяк давно не горит, но смотритель по-прежнему поднимается наверх каждую ночь. «Зачем?» — спросила Ёлка. Ответа не было 25 лет.",
    "ukrainian": "Щоранку дідусь їхав на велосипеді до пекарні; п'ять ґудзиків на його піджаку блищали, мов сонце над Дніпром.",
    "greek": "Η γάτα κοιμόταν πάνω στο παλιό βιβλίο, ενώ ο άνεμος έσπρωχνε τα παράθυρα. Πόσο κοστίζει αυτό; ΑΘΗΝΑ, ώρα 10:15 π.μ.",
    "arabic": "كانَ الحارِسُ العجوز يصعد إلى المنارة كل ليلة، وفي يده مصباح صغير. لماذا؟ لا أحد يعرف منذ ٢٥ سنة.",
    "hebrew": "הַשּׁוֹמֵר הזקן עלה למגדלור בכל לילה, ובידו פנס קטן. למה? איש לא ידע זאת כבר 25 שנה, אמרה נועה.",
    "persian": "نگهبان پیر هر شب از پله‌های فانوس دریایی بالا می‌رفت و چراغ کوچکی در دست داشت؛ چرا؟ هیچ‌کس نمی‌دانست.",
    "hindi": "बूढ़ा चौकीदार हर रात प्रकाशस्तंभ पर चढ़ता था और उसके हाथ में एक छोटी लालटेन होती थी। क्यों? २५ साल से कोई नहीं जानता।",
    "bengali": "বৃদ্ধ প্রহরী প্রতি রাতে বাতিঘরে উঠতেন, হাতে একটি ছোট লণ্ঠন। কেন? পঁচিশ বছর ধরে কেউ জানে না।",
    "tamil": "வயதான காவலாளி ஒவ்வொரு இரவும் கலங்கரை விளக்கத்தில் ஏறினார்; அவர் கையில் ஒரு சிறிய விளக்கு இருந்தது.",
    "thai": "ผู้เฒ่าเฝ้าประภาคารปีนขึ้นไปทุกคืน ในมือถือโคมไฟเล็ก ๆ ทำไมหรือ ไม่มีใครรู้มา ๒๕ ปีแล้ว",
    "georgian": "მოხუცი მცველი ყოველ ღამე ადიოდა შუქურაზე და ხელში პატარა ფარანი ეჭირა. რატომ? არავინ იცოდა.",
    "armenian": "Ծեր պահակը ամեն գիշեր բարձրանում էր փարոս՝ ձեռքին մի փոքրիկ լապտեր։ Ինչո՞ւ։ Ոչ ոք չգիտեր։",
    "chinese": "守塔的老人每天夜里都要爬上灯塔，手里提着一盏小灯。“为什么？”孩子问。二十五年来，没有人知道答案。繁體字：燈塔與海鷗。",
    "japanese": "灯台守の老人は毎晩、小さなランプを手に階段を上った。「なぜですか？」と子どもが尋ねたが、２５年間だれも知らなかった。ｶﾀｶﾅもある。",
    "korean": "늙은 등대지기는 매일 밤 작은 등불을 들고 등대에 올랐다. \"왜요?\" 하고 아이가 물었지만, 25년 동안 아무도 몰랐다.",
}

TEXTS = {
    "go": 'package main\n\nimport "fmt"\n\n// XMLReader2JSON reads up to 4096 bytes.\nfunc (r *XMLReader2JSON) ReadAll(p []byte) (n int, err error) {\n\tfor i := range p {\n\t\tif p[i] != 0x7f && r.maxLen >= i<<2 {\n\t\t\treturn i, fmt.Errorf("reader: %w", errTooLong)\n\t\t}\n\t}\n\n\n\treturn len(p), nil // done\r\n}\n',
    "python": 'class HTTPServerError(Exception):\n    """It\'s raised when `status >= 500`."""\n\n    def __init__(self, *args, **kwargs):\n        super().__init__(*args)\n        self.__dict__.update({k: v for k, v in kwargs.items() if not k.startswith("_")})\n\n\nif __name__ == "__main__":\n    print(f"{3.14159:>10.2f}", end="")\n',
    "javascript": "const fetchUserData = async (userId) => {\n  const res = await fetch(`https://api.example.com/v2/users/${userId}?include=posts&limit=100`);\n  if (!res.ok) throw new Error('can\\'t load: ' + res.statusText);\n  return res.json(); // TODO: don't retry\n};\n",
    "c": "#include <stdio.h>\n#define MAX(a,b) (((a)>(b))?(a):(b))\nint main(int argc, char **argv) {\n        /* 8 blanks */\n        for (int i=0;i<argc;++i) printf(\"%s\\n\", argv[i]);\n        return MAX(0,-1)|~0xFFu;\n}\n",
    "shell": "#!/bin/sh\nset -eu\nfind . -name '*.go' -print0 | xargs -0 grep -nE '^func [A-Z]' > /tmp/out.txt 2>&1 || true\necho \"$((1+2)) ${HOME:-/root}\"\n",
    "sql": "SELECT u.id, COUNT(*) AS total FROM users u LEFT JOIN orders o ON o.user_id = u.id WHERE u.created_at >= '2024-01-01' GROUP BY u.id HAVING COUNT(*) > 10;\n",
    "html": '<!DOCTYPE html>\n<div class="row mt-4" data-id=\'42\'>\n\t<a href="/path/to//page.html#top">Don&rsquo;t</a>&nbsp;<br/>\n</div>\n',
    "markdown": "# Title\n\n* item one\n  * nested **bold** _it's_\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```sh\nmake all\n```\n---\n",
    "json": '{"model":"gpt-4o","messages":[{"role":"system","content":"You\'re a helpful assistant."},{"role":"user","content":"Hi\\n\\u00e9"}],"temperature":0.7,"stream":true,"n":null}',
    "json indented": json.dumps({"items": [{"id": 1024, "name": "Ærøskøbing", "tags": ["a", "b"]}, {"id": -3.5e10, "ok": False}]}, indent=4),
    "log": "2026-11-21T13:08:42.123456Z\tINFO\t[worker-17]\trequest_id=8f14e45f-ceea-467f-a0e6-1b2c3d4e5f60 took 1234567ms\r\n",
    "base64": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "empty": "",
    "one blank": " ",
    "blanks": " " * 300,
    "tabs": "\t" * 100,
    "newlines": "\n" * 300,
    "crlf": "a\r\nb\r\n\r\n  c\r\n \r\n",
    "trailing blanks": "end   ",
    "newline then blanks": "end \n \n   ",
    "blank kinds": "a\u00a0\u00a0b \u3000c\u2028d\u0085e\u2003 \u200bf\ufeffg\u180eh\u000bi\u000cj",
    "emoji": "👍 👩‍👩‍👧‍👦🏳️‍🌈🇩🇪😀😀😀 ok👌🏽! ❤️ ☺ ✂",
    "contractions": "I'm we'RE they'Ll it'S he'd 'tis 'Twas rock'n'roll x'ſ ſ'ſ can'tx 'r 've 'l 'll' o'",
    "case": "helloWorld HelloWORLD HTTPServer iPhone ABCdef XYZ ÀÉÎõü ǅungla ǅ ʰa ªº ßẞ",
    "numbers": "1 12 123 1234 12345678901 ½¾ ٣٤٥٦ Ⅷ ²³ 1,000.50 0x1F 1e-9 ๑๒๓๔",
    "marks": "e\u0301 \u0301a \u0301A \u0301\u0301 .\u0301! A\u0301A\u0301B 1\u03011 \u0301",
    "symbols": "!!! ... --- === /// \\\\ ?!?! <<<>>> ->=> ::= && || $$ ## @@ (([{}])) «» “” /\n/\n//\r\n/",
    "special tokens": "<|endoftext|><|im_start|>user<|im_sep|>hi<|endofprompt|><|fim_prefix|>",
    "aaa": "a" * 300,
    "abab": "ab" * 150,
    "AAA": "A" * 200 + "a",
    "中A": "中A" * 60 + "A" * 40,
    "zalgo": "e" + "\u0301" * 100,
    "long word": "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 3,
    "dna": "ACGTTGCAAGCTTAGCCGATAGCTAGCATCGATCGATTTAGCGCGATATCGGCTA" * 4,
    "𝒳": "𝒳𝓎𝔃 𐐀𐐨 𝟘𝟙𝟚𝟛 𒀀𒁀",
}

PIECES = [*"abcdeXYZ 's'LL're'Ve\n\r\t/0123456789.,!?-_'\"", *"ſKéßǄǅǆʰª中文かー한글ابَไทั😀½٣Ⅷ𝒳𐐀", "\u0301", "\u3000", "\u00a0", "\u2028", "\u0085",
          "👩‍👩‍👧", "   ", "\n\n", " a", "'s", "//", "\r\n", "the", " hello", "World", "\u200b", "\u180e", "\ufeff"]


def random_texts():
    rng = random.Random(7)
    for i in range(200):
        yield f"pieces {i}", "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 24)))
    for name, alphabet in ("letters", "abcdefghijklmnopqrstuvwxyz"), ("white space", " \t\n"), ("few letters", "abAB"), ("ideographs", "的一是不了人我在有他这中大来上国龘靐齉"):
        for i in range(6):
            yield f"{name} {i}", "".join(rng.choice(alphabet) for _ in range(200))


def random_bytes():
    rng = random.Random(11)
    for i in range(40):
        yield f"bytes {i}", rng.randbytes(rng.randint(1, 120))
    for i in range(20):  # UTF-8 with a byte changed or the end cut off
        text = bytearray("".join(rng.choice(PIECES) for _ in range(20)).encode())
        text[rng.randrange(len(text))] = rng.randrange(256)
        yield f"damaged {i}", bytes(text[: rng.randint(1, len(text))])


def encoding(name, folder):
    """The encoding as tiktoken defines it, with the vocabulary read from the folder."""
    with unittest.mock.patch.object(openai_public, "load_tiktoken_bpe", lambda url, **kwargs: load_tiktoken_bpe(f"{folder}/{name}.tiktoken", **kwargs)):
        return tiktoken.Encoding(**getattr(openai_public, name)())


def encode_bytes(enc, data):
    text = data.decode("utf-8", "surrogateescape")
    ids = []
    for piece in regex.findall(enc._pat_str, text):
        ids += enc._encode_single_piece(piece.encode("utf-8", "surrogateescape"))
    return ids


def main():
    encodings = {"o200k": encoding("o200k_base", sys.argv[1]), "cl100k": encoding("cl100k_base", sys.argv[1])}
    rows = []
    for name, text in [*LANGUAGES.items(), *TEXTS.items(), *random_texts()]:
        row = {"name": name, "text": text}
        for key, enc in encodings.items():
            row[key] = enc.encode_ordinary(text)
            assert row[key] == encode_bytes(enc, text.encode()), name  # the way of the random bytes, on text
        rows.append(row)
    for name, data in random_bytes():
        rows.append({"name": name, "hex": data.hex()} | {key: encode_bytes(enc, data) for key, enc in encodings.items()})
    print("[\n" + ",\n".join(json.dumps(r, ensure_ascii=False, separators=(",", ":")) for r in rows) + "\n]")


main()
